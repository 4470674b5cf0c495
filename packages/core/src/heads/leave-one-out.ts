/** What leave-one-out scores say about a head: balanced accuracy, its standard error, and which examples they cover. */

import type { FitContext, Memory } from '../head.ts';
import { rowHash } from '../memory/match-rows.ts';

export interface LeaveOneOutAccuracy {
  /** Mean over classes of the share of examples that their own class wins, from 0 to 1. */
  readonly accuracy: number;
  /** Standard error of `accuracy`, with one example's worth of doubt at the ends of the range. */
  readonly standardError: number;
  /** Examples that count: those whose class has another one to learn from. */
  readonly numExamples: number;
}

/** Entries of a leave-one-out score matrix: as many as calibration looks at. */
export const MAX_ENTRIES = 2 ** 18;
/** Fewer rows say too little of accuracy and confidence. */
const LEAST_ROWS = 256;

/**
 * Rows that leave-one-out scores cover: all of them while rows x classes stays within `context.leaveOneOutEntries`, else at least
 * 256 of them: every class's first example before any class's second, and of those that are equally first a sample by their
 * codes. One class more or less changes few of them.
 * @returns Int32Array, ascending rows; the caller owns it
 */
export function leaveOneOutRows(
  { numExamples, numClasses, classIndices, codes, width }: SampledMemory,
  { leaveOneOutEntries = MAX_ENTRIES }: Pick<FitContext, 'leaveOneOutEntries'>,
): Int32Array {
  const count = Math.min(numExamples, Math.max(LEAST_ROWS, Math.floor(leaveOneOutEntries / numClasses)));
  if (count === numExamples) return Int32Array.from({ length: count }, (_, i) => i);
  const seen = new Int32Array(numClasses);
  const rounds: number[][] = [];
  for (const [i, c] of classIndices.entries()) (rounds[seen[c]++] ??= []).push(i);
  const rows: number[] = [];
  for (const round of rounds) {
    const left = count - rows.length;
    if (left === 0) break;
    if (round.length <= left) for (const i of round) rows.push(i);
    else {
      const hashes = new Map(round.map((i): [number, number] => [i, rowHash(codes, i * width, width)]));
      round.sort((a, b) => (hashes.get(a) as number) - (hashes.get(b) as number) || a - b);
      for (const i of round.slice(0, left)) rows.push(i);
    }
  }
  return Int32Array.from(rows).sort();
}

type SampledMemory = Pick<Memory, 'numExamples' | 'numClasses' | 'classIndices' | 'codes' | 'width'>;

/** Index of the largest of `count` scores from `offset` on; the first of equals. */
export function argmax(scores: Float64Array, offset: number, count: number): number {
  let best = 0;
  let highest = scores[offset];
  for (let c = 1; c < count; c++) {
    if (scores[offset + c] > highest) [highest, best] = [scores[offset + c], c];
  }
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
  const winners = Int32Array.from(rows, (_, i) => argmax(scores, i * numClasses, numClasses));
  return winnersAccuracy(winners, rows, classIndices, counts);
}

/** The same from the class that wins each row. @param winners Int32Array, rows.length */
export function winnersAccuracy(
  winners: Int32Array,
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
    if (winners[i] === own) right[own]++;
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
