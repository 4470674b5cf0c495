/** What leave-one-out scores say about a head: balanced accuracy, its standard error, and which examples they cover. */

import type { FitContext, Memory } from '../head.ts';

export interface LeaveOneOutAccuracy {
  /** Mean over classes of the share of examples that their own class wins, from 0 to 1. */
  readonly accuracy: number;
  /** Standard error of `accuracy`, with one example's worth of doubt at the ends of the range. */
  readonly standardError: number;
  /** Examples that count: those whose class has another one to learn from. */
  readonly numExamples: number;
}

/** Entries of a leave-one-out score matrix: 4 MB, and less work than the solve that they come from. */
export const MAX_ENTRIES = 2 ** 19;
/** Fewer rows say too little of accuracy and confidence. */
const LEAST_ROWS = 256;

/**
 * Rows that leave-one-out scores cover: all of them while rows x classes stays within `context.leaveOneOutEntries`, else an
 * even spread, of at least 256.
 * @returns Int32Array, ascending rows; the caller owns it
 */
export function leaveOneOutRows(
  { numExamples, numClasses }: Pick<Memory, 'numExamples' | 'numClasses'>,
  { leaveOneOutEntries = MAX_ENTRIES }: Pick<FitContext, 'leaveOneOutEntries'>,
): Int32Array {
  const count = Math.min(numExamples, Math.max(LEAST_ROWS, Math.floor(leaveOneOutEntries / numClasses)));
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * numExamples) / count));
}

/** Index of the largest of `count` scores from `offset` on; the first of equals. */
export function argmax(scores: Float64Array, offset: number, count: number): number {
  let best = 0;
  for (let c = 1; c < count; c++) if (scores[offset + c] > scores[offset + best]) best = c;
  return best;
}

/**
 * Balanced leave-one-out accuracy. Classes of one example do not count: without it they are not there to be found.
 * @param scores Float64Array, rows.length x numClasses
 * @param rows Int32Array: the example of each row of scores
 * @returns undefined where no class has two examples among `rows`
 */
export function leaveOneOutAccuracy(
  scores: Float64Array,
  rows: Int32Array,
  classIndices: Int32Array,
  counts: Int32Array,
): LeaveOneOutAccuracy | undefined {
  const numClasses = counts.length;
  const seen = new Int32Array(numClasses);
  const right = new Int32Array(numClasses);
  let numExamples = 0;
  for (let i = 0; i < rows.length; i++) {
    const own = classIndices[rows[i]];
    if (counts[own] < 2) continue;
    numExamples++;
    seen[own]++;
    if (argmax(scores, i * numClasses, numClasses) === own) right[own]++;
  }
  if (numExamples === 0) return undefined;
  let classes = 0;
  let sum = 0;
  let inverse = 0;
  for (let c = 0; c < numClasses; c++) {
    if (seen[c] === 0) continue;
    classes++;
    sum += right[c] / seen[c];
    inverse += 1 / seen[c];
  }
  const accuracy = sum / classes;
  // The variance of a mean of class shares, at the pooled rate moved half an example away from 0 and 1.
  const rate = (accuracy * numExamples + 0.5) / (numExamples + 1);
  return { accuracy, standardError: Math.sqrt(rate * (1 - rate) * inverse) / classes, numExamples };
}
