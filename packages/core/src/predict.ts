/** From solved scores to predictions: calibrated, ranked, known or not, with the nearest examples. */

import { expected } from './errors.ts';
import type { FittedHead } from './head.ts';
import { manyScores } from './heads/many-scores.ts';
import type { NearestExample, Prediction, RankedLabel } from './prediction.ts';
import { calibratedProbabilitiesInto, type Calibration } from './scores/top-label-calibration.ts';
import type { UnknownDetector } from './scores/unknown.ts';

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
  readonly detector: Pick<UnknownDetector, 'detectInto'>;
  nearest(query: Int8Array, count: number): NearestExample[];
}

/**
 * Predictions of queries.
 * @param unknownBelow p-value from which on a query is known
 * @param codes Int8Array, numQueries x width, row-major
 * @throws INVALID_ARGUMENT for `top` or `nearest` that are no counts
 */
export async function predict(
  { labels, width, head, calibration, detector, nearest: nearestOf }: Parts,
  unknownBelow: number,
  codes: Int8Array,
  numQueries: number,
  { top = 5, nearest = 3 }: PredictOptions,
): Promise<Prediction[]> {
  checkCount('top', top, 1);
  checkCount('nearest', nearest, 0);
  const numClasses = labels.length;
  const probabilities = await manyScores(head, codes, numQueries);
  calibratedProbabilitiesInto(probabilities, numQueries, numClasses, calibration, probabilities);
  const strangeness = new Float64Array(numQueries);
  const pValues = new Float64Array(numQueries);
  detector.detectInto(codes, numQueries, strangeness, pValues);
  return Array.from({ length: numQueries }, (_, query) => {
    const ranking = rank(probabilities.subarray(query * numClasses, (query + 1) * numClasses), labels, top);
    const known = pValues[query] >= unknownBelow;
    return {
      label: known ? ranking[0].label : null,
      known,
      confidence: ranking[0].probability,
      novelty: pValues[query],
      strangeness: strangeness[query],
      ranking,
      nearest: nearestOf(codes.subarray(query * width, (query + 1) * width), nearest),
    };
  });
}

/** The `top` likeliest classes, best first; equal ones in class order. One pass: a class is compared with the last of the best. */
function rank(probabilities: Float64Array, labels: readonly string[], top: number): RankedLabel[] {
  const kept = Math.min(top, labels.length);
  const best = new Int32Array(kept);
  let found = 0;
  for (let k = 0; k < labels.length; k++) {
    const probability = probabilities[k];
    if (found === kept && !(probability > probabilities[best[kept - 1]])) continue;
    let at = found < kept ? found++ : kept - 1;
    for (; at > 0 && probability > probabilities[best[at - 1]]; at--) best[at] = best[at - 1];
    best[at] = k;
  }
  return Array.from(best, (classIndex) => ({ label: labels[classIndex], probability: probabilities[classIndex] }));
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw expected(name, `an integer of at least ${least}`, value);
}
