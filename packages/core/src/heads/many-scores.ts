/** Scores of any number of queries, the head's own fast way where it has one. */

import type { FittedHead } from '../head.ts';

/**
 * The same bits either way: one query alone is not worth an engine's call.
 * @param codes Int8Array, numQueries x width, row-major
 * @returns Float64Array, numQueries x numClasses; the caller owns it
 */
export async function manyScores(head: FittedHead, codes: Int8Array, numQueries: number): Promise<Float64Array> {
  if (head.scores !== undefined && numQueries > 1) return head.scores(codes, numQueries);
  const out = new Float64Array(numQueries * head.numClasses);
  head.scoresInto(codes, numQueries, out);
  return out;
}
