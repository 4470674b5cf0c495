/** Heads by name: what `head:` in the options and in a saved classifier may say. */

import { expected } from '../errors.ts';
import type { Head, StatisticsMemory } from '../head.ts';
import { chooseHead } from './choose.ts';
import { classCovariance } from './class-covariance.ts';
import { discriminant } from './discriminant.ts';
import { kernelRidge } from './kernel-ridge.ts';
import { nearestClassMean } from './nearest-class-mean.ts';
import { nearestExamples } from './nearest-examples.ts';
import { projectedRidge } from './projected-ridge.ts';

const HEADS: ReadonlyMap<string, () => Head> = new Map([
  ['auto', chooseHead],
  ['nearest-class-mean', () => nearestClassMean()],
  ['nearest-class-mean-euclidean', () => nearestClassMean({ metric: 'euclidean' })],
  ['discriminant', () => discriminant()],
  ['discriminant-oas', () => discriminant({ shrinkage: 'oas' })],
  ['discriminant-ledoit-wolf', () => discriminant({ shrinkage: 'ledoit-wolf' })],
  ['kernel-ridge', () => kernelRidge()],
  ['kernel-ridge-linear', () => kernelRidge({ kernel: 'linear' })],
  ['kernel-ridge-rbf', () => kernelRidge({ kernel: 'rbf' })],
  ['projected-ridge', () => projectedRidge()],
  ['projected-ridge-sparse-top-k', () => projectedRidge({ projection: 'sparse-top-k' })],
  ['projected-ridge-random-fourier', () => projectedRidge({ projection: 'random-fourier' })],
  ['class-covariance', () => classCovariance()],
  ['nearest-examples', () => nearestExamples()],
]);

/** Every name that `headNamed` knows, the default first. */
export const HEAD_NAMES: readonly string[] = [...HEADS.keys()];

/** The head of that name with its default parameters. @throws INVALID_ARGUMENT for another name */
export function headNamed(name: string): Head {
  const make = HEADS.get(name);
  if (make === undefined) throw expected('head', `one of ${HEAD_NAMES.join(', ')}`, name);
  return make();
}

/** The heads that can be solved from sums alone, the default first. */
export const STATISTICS_HEAD_NAMES: readonly string[] = HEAD_NAMES.filter(
  (name) => name === 'auto' || headNamed(name).fitFromStatistics !== undefined,
);

/**
 * The head of that name for statistics mode. `auto` is the discriminant, or the prototype where no class has two examples
 * and so nothing is known of spread.
 * @throws INVALID_ARGUMENT for a name that is not in `STATISTICS_HEAD_NAMES`
 */
export function statisticsHeadNamed(
  name: string,
  statistics: StatisticsMemory,
): Required<Pick<Head, 'fitFromStatistics'>> {
  const automatic = statistics.counts.some((count) => count > 1) ? discriminant() : nearestClassMean();
  const { fitFromStatistics } = name === 'auto' ? automatic : headNamed(name);
  if (fitFromStatistics === undefined) {
    throw expected('head', `one of ${STATISTICS_HEAD_NAMES.join(', ')} with memory "statistics"`, name);
  }
  return { fitFromStatistics };
}
