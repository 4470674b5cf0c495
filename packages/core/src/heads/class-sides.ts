/**
 * Right-hand sides that stand for those of all classes: `sum_c s_c b_c^T` with random signs s, whose squares sum up to theirs in the
 * mean (Hutchinson, Communications in Statistics 1989). A class has its own signs, so that another one beside it changes a sum
 * by its own share alone.
 */

import type { FitContext, Memory } from '../head.ts';
import { transpose } from '../linalg/transpose.ts';
import { rowHash } from '../memory/match-rows.ts';
import { seededBits } from '../projection/seeded-bits.ts';

/** Signs that stand for more classes than these. */
export const PROBES = 32;

export interface ClassSides {
  /** Float64Array, count x order: exact integers where those of the classes are. */
  readonly rows: Float64Array;
  readonly count: number;
  /** What a sum over the sides counts of the sum over all classes. */
  readonly share: number;
}

/** Float64Array of +1 and -1, the same for the same seed. */
export function randomSigns(count: number, seed: number): Float64Array {
  const next = seededBits(seed);
  const signs = new Float64Array(count);
  for (let i = 0; i < count; i++) signs[i] = next() < 0 ? -1 : 1;
  return signs;
}

/** Float64Array, numClasses x PROBES: the signs of each class. @param seeds Int32Array, numClasses */
export function classSigns(seeds: Int32Array): Float64Array {
  const signs = new Float64Array(seeds.length * PROBES);
  for (const [c, seed] of seeds.entries()) signs.set(randomSigns(PROBES, seed), c * PROBES);
  return signs;
}

/** Int32Array, numClasses: numbers that go with what is in each class, by its first example. */
export function classSeeds({ codes, width, classIndices, numClasses }: Memory): Int32Array {
  const seeds = new Int32Array(numClasses);
  for (let i = 0; i < classIndices.length; i++) {
    if (i === 0 || classIndices[i] !== classIndices[i - 1]) seeds[classIndices[i]] = rowHash(codes, i * width, width);
  }
  return seeds;
}

/**
 * @param cross Float64Array, numClasses x order
 * @param seeds Int32Array, numClasses: see `classSeeds`
 */
export async function classSides(
  cross: Float64Array,
  seeds: Int32Array,
  order: number,
  { gemm }: FitContext,
): Promise<ClassSides> {
  const numClasses = seeds.length;
  if (numClasses <= PROBES) return { rows: cross, count: numClasses, share: 1 };
  const shape = { m: PROBES, n: order, k: numClasses };
  return {
    rows: await gemm.f64(transpose(classSigns(seeds), numClasses, PROBES), cross, shape),
    count: PROBES,
    share: 1 / PROBES,
  };
}
