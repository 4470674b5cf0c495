/** The heads of ridge regression on random features, by their projection; see `ridge-on-features.ts`. */

import type { Head } from '../head.ts';
import { rademacherRelu } from '../projection/rademacher-relu.ts';
import { randomFourier } from '../projection/random-fourier.ts';
import { sparseTopK } from '../projection/sparse-top-k.ts';
import { fitRidgeOnFeatures, type RidgeOnFeatures, type RidgeOnFeaturesOptions } from './ridge-on-features.ts';

export interface ProjectedRidgeOptions extends RidgeOnFeaturesOptions {
  /** Default `rademacher-relu` (RanPAC). */
  readonly projection?: 'rademacher-relu' | 'sparse-top-k' | 'random-fourier';
}

const PROJECTIONS = { 'rademacher-relu': rademacherRelu, 'sparse-top-k': sparseTopK, 'random-fourier': randomFourier };

/** The head `projected-ridge`, or with another projection `projected-ridge-sparse-top-k`, `projected-ridge-random-fourier`. */
export function projectedRidge(options: ProjectedRidgeOptions = {}): Head {
  const { projection = 'rademacher-relu' } = options;
  const name = projection === 'rademacher-relu' ? 'projected-ridge' : `projected-ridge-${projection}`;
  return {
    name,
    fit: (memory, context) => fitRidgeOnFeatures(name, PROJECTIONS[projection], memory, options, context),
  };
}

/** RanPAC: what the head `auto` takes of these. */
export const rademacherRidge: RidgeOnFeatures = {
  fit: (memory, options, context) => projectedRidge(options).fit(memory, context),
};
