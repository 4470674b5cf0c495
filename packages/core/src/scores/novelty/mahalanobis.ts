/**
 * Mahalanobis++ and its relative form: distances to class means in the metric of the pooled within-class covariance.
 *
 *     Mahalanobis++    min_k (x - m_k)' S^-1 (x - m_k),  x of unit length              (Mueller & Hein 2025, equations 4 to 6)
 *     relative         the same less (x - m)' S_0^-1 (x - m), m and S_0 of all examples  (Ren et al. 2021, equation 3)
 *
 * Codes have one length by construction, which is the "++". Where we differ: the covariances carry the prior of
 * whitened-groups.ts, so that they exist from the first example on, and each class's distance is multiplied by n_k /
 * (n_k + 1), because the mean of n_k examples is itself uncertain (the predictive variance of a Gaussian).
 */

import type { FitContext, Memory } from '../../head.ts';
import { everyRow, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import { WhitenedGroups } from './whitened-groups.ts';

export const mahalanobis: NoveltyScore = {
  name: 'mahalanobis++',
  async fit(memory: Memory, context: FitContext): Promise<FittedNovelty> {
    return new FittedMahalanobis(memory, await WhitenedGroups.ofClasses(memory, context), undefined);
  },
};

export const relativeMahalanobis: NoveltyScore = {
  name: 'relative-mahalanobis++',
  async fit(memory: Memory, context: FitContext): Promise<FittedNovelty> {
    const all = await WhitenedGroups.ofAll(memory, context);
    return new FittedMahalanobis(memory, await WhitenedGroups.ofClasses(memory, context), all);
  },
};

class FittedMahalanobis implements FittedNovelty {
  readonly #memory: Memory;
  readonly #classes: WhitenedGroups;
  readonly #all: WhitenedGroups | undefined;

  constructor(memory: Memory, classes: WhitenedGroups, all: WhitenedGroups | undefined) {
    this.#memory = memory;
    this.#classes = classes;
    this.#all = all;
  }

  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    const { width, counts, numExamples } = this.#memory;
    const classes = this.#classes;
    const all = this.#all;
    for (let i = 0; i < numQueries; i++) {
      classes.readQuery(codes, i * width);
      out[i] = nearest(classes, classes.weight, counts, -1, -1);
      if (all === undefined) continue;
      all.readQuery(codes, i * width);
      out[i] -= distance(all, 0, all.weight, numExamples);
    }
  }

  leaveOneOut(rows: Int32Array = everyRow(this.#memory.numExamples)): Float64Array<ArrayBuffer> {
    const { counts, numExamples, classIndices } = this.#memory;
    const classes = this.#classes;
    const all = this.#all;
    const out = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) {
      const { weight, emptied } = classes.readExample(rows[r]);
      // Alone among all examples, there is no mean to be far from: the distance from the origin under the prior.
      const alone = numExamples === 1;
      out[r] = alone ? weight * classes.square : nearest(classes, weight, counts, emptied, classIndices[rows[r]]);
      if (all === undefined) continue;
      const left = all.readExample(rows[r]);
      out[r] -= alone ? left.weight * all.square : distance(all, 0, left.weight, numExamples - 1);
    }
    return out;
  }
}

function nearest(classes: WhitenedGroups, weight: number, counts: Int32Array, emptied: number, home: number): number {
  let lowest = Infinity;
  for (let k = 0; k < classes.numGroups; k++) {
    if (k === emptied) continue;
    const d = distance(classes, k, weight, k === home ? counts[k] - 1 : counts[k]);
    if (d < lowest) lowest = d;
  }
  return lowest;
}

/** Squared distance from group k's mean, of `count` examples, under the covariance `(W + ridge I) / weight`. */
function distance({ square, products, squares }: WhitenedGroups, k: number, weight: number, count: number): number {
  return (weight * (square - 2 * products[k] + squares[k]) * count) / (count + 1);
}
