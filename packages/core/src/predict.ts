/** From solved scores to predictions: calibrated, ranked, known or not, with the nearest examples. */

import { expected } from './errors.ts';
import type { FittedHead } from './head.ts';
import { manyScores } from './heads/many-scores.ts';
import type { NearestExample, Prediction, RankedLabel } from './prediction.ts';
import { calibratedProbabilitiesInto, type Calibration } from './scores/top-label-calibration.ts';
import type { UnknownDetector } from './scores/unknown.ts';

/** Examples embedded and classified in one step of `classifyMany`: changes are seen between two of them. */
export const CLASSIFY_BATCH = 32;

const TOP = 5;
const NEAREST = 3;

export interface PredictOptions {
  /** Classes in `ranking`. Default 5. */
  readonly top?: number;
  /** Examples in `nearest`. Default 3; 0 leaves them out. There are none in statistics mode. */
  readonly nearest?: number;
}

/** What a prediction is put together from, in either memory mode. */
export interface Parts {
  readonly labels: readonly string[];
  readonly width: number;
  readonly head: FittedHead;
  readonly calibration: Calibration;
  /** Float64Array, numClasses: scratch of single queries. */
  readonly scores: Float64Array;
  readonly detector: Pick<UnknownDetector, 'detectInto'>;
  /** p-value from which on a query is known. */
  readonly unknownBelow: number;
  nearest(query: Int8Array, count: number): NearestExample[];
}

/**
 * Predictions of queries.
 * @param codes Int8Array, numQueries x width, row-major
 * @throws INVALID_ARGUMENT for `top` or `nearest` that are no counts
 */
export async function predict(
  parts: Parts,
  codes: Int8Array,
  numQueries: number,
  options: PredictOptions,
): Promise<Prediction[]> {
  checkPredictOptions(options);
  return predictions(parts, codes, numQueries, await manyScores(parts.head, codes, numQueries), options);
}

/** The same of one query, at once. */
export function predictOne(parts: Parts, codes: Int8Array, options: PredictOptions): Prediction {
  checkPredictOptions(options);
  const { scores } = parts;
  parts.head.scoresInto(codes, 1, scores);
  return predictions(parts, codes, 1, scores, options)[0];
}

/** @param scores Float64Array, numQueries x numClasses, overwritten */
function predictions(
  { labels, width, calibration, detector, unknownBelow, nearest: nearestOf }: Parts,
  codes: Int8Array,
  numQueries: number,
  scores: Float64Array,
  { top = TOP, nearest = NEAREST }: PredictOptions,
): Prediction[] {
  const numClasses = labels.length;
  calibratedProbabilitiesInto(scores, numQueries, numClasses, calibration, scores);
  const strangeness = new Float64Array(numQueries);
  const pValues = new Float64Array(numQueries);
  detector.detectInto(codes, numQueries, strangeness, pValues);
  const found: Prediction[] = [];
  for (let query = 0; query < numQueries; query++) {
    const ranking = rank(scores, query * numClasses, labels, top);
    const known = pValues[query] >= unknownBelow;
    found.push({
      label: known ? ranking[0].label : null,
      known,
      confidence: ranking[0].probability,
      novelty: pValues[query],
      strangeness: strangeness[query],
      ranking,
      nearest: nearest > 0 ? nearestOf(codes.subarray(query * width, (query + 1) * width), nearest) : [],
    } as Prediction);
  }
  return found;
}

/** The `top` likeliest classes, best first; equal ones in class order. One pass: a class is compared with the last of the best. */
function rank(probabilities: Float64Array, from: number, labels: readonly string[], top: number): RankedLabel[] {
  const kept = Math.min(top, labels.length);
  const best: RankedLabel[] = [];
  for (let k = 0; k < labels.length; k++) {
    const probability = probabilities[from + k];
    if (best.length === kept && !(probability > best[kept - 1].probability)) continue;
    let at = best.length < kept ? best.length : kept - 1;
    for (; at > 0 && probability > best[at - 1].probability; at--) best[at] = best[at - 1];
    best[at] = { label: labels[k], probability };
  }
  return best;
}

/** @throws INVALID_ARGUMENT for `top` or `nearest` that are no counts */
export function checkPredictOptions({ top = TOP, nearest = NEAREST }: PredictOptions): void {
  checkCount('top', top, 1);
  checkCount('nearest', nearest, 0);
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw expected(name, `an integer of at least ${least}`, value);
}
