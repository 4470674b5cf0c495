/**
 * Which unlabelled inputs to label next: uncertain ones, far from everything labelled and from each other. k-centre
 * greedy over cosine distance (Sener & Savarese 2018, Active Learning for Convolutional Neural Networks: A Core-Set
 * Approach, algorithm 1), each distance multiplied by margin uncertainty `1 - (p_1 - p_2)` (Scheffer, Decomain, Wrobel
 * 2001).
 */

import { expected } from '../errors.ts';
import type { FitContext, FittedHead, Memory } from '../head.ts';
import { firstTapCosines, firstTapsOf } from './first-tap-cosines.ts';
import { calibratedProbabilitiesInto, type Calibration } from './top-label-calibration.ts';

export interface Suggestion {
  /** Position in the pool. */
  readonly index: number;
  /** `1 - (p_1 - p_2)` of its two likeliest classes, probabilities as in a prediction, from 0 (sure) to 1 (torn); 1 with a single class. */
  readonly uncertainty: number;
  /** Cosine distance from the nearest labelled example or earlier suggestion, from 0 to 2. */
  readonly distance: number;
}

/** Share of its distance that even a sure input keeps: a class that nobody named yet can look like a sure one. */
const LEAST_UNCERTAINTY = 0.1;
const BLOCK_ROWS = 256;

/**
 * Ranks a pool for labelling, the most useful first: each pick takes into account those before it.
 * @param pool Int8Array, numPool x width, row-major
 * @param count longest list to return
 * @param calibration what `fitCalibration` returned for `head`
 * @throws INVALID_ARGUMENT for a pool of another size
 */
export async function suggest(
  memory: Memory,
  head: FittedHead,
  calibration: Calibration,
  pool: Int8Array,
  numPool: number,
  count: number,
  context: FitContext,
): Promise<Suggestion[]> {
  const { numExamples, numClasses, width, dim, codes } = memory;
  if (pool.length !== numPool * width) throw expected('pool', `${numPool} x ${width} code entries`, pool);
  const uncertainty = await marginUncertainty(head, calibration, pool, numPool, numClasses);
  const labelled = firstTapsOf(codes, numExamples, width, dim);
  const candidates = firstTapsOf(pool, numPool, width, dim);
  const distances = new Float64Array(numPool);
  for (let start = 0; start < numPool; start += BLOCK_ROWS) {
    const end = Math.min(numPool, start + BLOCK_ROWS);
    const cosines = await firstTapCosines(candidates, start, end, labelled, context);
    for (let i = start; i < end; i++) {
      let nearest = -1;
      for (let j = (i - start) * numExamples; j < (i - start + 1) * numExamples; j++) {
        if (cosines[j] > nearest) nearest = cosines[j];
      }
      distances[i] = 1 - nearest;
    }
  }

  const picked: Suggestion[] = [];
  const taken = new Uint8Array(numPool);
  while (picked.length < Math.min(count, numPool)) {
    let best = -1;
    let highest = -Infinity;
    for (let i = 0; i < numPool; i++) {
      const value = distances[i] * (LEAST_UNCERTAINTY + (1 - LEAST_UNCERTAINTY) * uncertainty[i]);
      if (taken[i] === 0 && value > highest) {
        highest = value;
        best = i;
      }
    }
    taken[best] = 1;
    picked.push({ index: best, uncertainty: uncertainty[best], distance: distances[best] });
    const cosines = await firstTapCosines(candidates, best, best + 1, candidates, context);
    for (let i = 0; i < numPool; i++) distances[i] = Math.min(distances[i], 1 - cosines[i]);
  }
  return picked;
}

async function marginUncertainty(
  head: FittedHead,
  calibration: Calibration,
  pool: Int8Array,
  numPool: number,
  numClasses: number,
): Promise<Float64Array> {
  const probabilities = (await head.scores?.(pool, numPool)) ?? new Float64Array(numPool * numClasses);
  if (head.scores === undefined) head.scoresInto(pool, numPool, probabilities);
  calibratedProbabilitiesInto(probabilities, numPool, numClasses, calibration, probabilities);
  const uncertainty = new Float64Array(numPool);
  for (let i = 0; i < numPool; i++) {
    let first = 0;
    let second = 0;
    for (let k = i * numClasses; k < (i + 1) * numClasses; k++) {
      const p = probabilities[k];
      if (p > first) {
        second = first;
        first = p;
      } else if (p > second) {
        second = p;
      }
    }
    uncertainty[i] = numClasses === 1 ? 1 : 1 - (first - second);
  }
  return uncertainty;
}
