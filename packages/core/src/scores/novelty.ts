/** The contract of a novelty score: how unlike everything learned an input is. Nothing here is trained. */

import type { FitContext, Memory } from '../head.ts';

export interface FittedNovelty {
  /**
   * Strangeness of queries, higher is stranger, always finite; comparable between the queries of one fit.
   * @param codes Int8Array, numQueries x width, row-major
   * @param out Float64Array, numQueries, overwritten
   */
  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void;
  /**
   * Each example's strangeness to the score fitted without it, exactly: its code leaves its class sum, every scatter
   * matrix and the examples. The only example of a class is compared with the other classes; the only example of all
   * gets the strangeness of an input unrelated to everything.
   * @param rows Int32Array of example rows; default every example in order
   * @returns Float64Array, one entry a row; the caller owns it
   */
  leaveOneOut(rows?: Int32Array): Float64Array<ArrayBuffer>;
  /**
   * The same to rounding, through the Gemm and with the host's event loop turning. Absent where `leaveOneOut` is as
   * fast.
   */
  leaveOneOutMany?(rows: Int32Array, context: FitContext): Promise<Float64Array<ArrayBuffer>>;
}

export interface NoveltyScore {
  readonly name: string;
  /** Solves from `memory` alone: equal memory gives equal scores, bit for bit, on one engine. */
  fit(memory: Memory, context: FitContext): Promise<FittedNovelty>;
}

/**
 * `1 - cosine` of an input at right angles to everything learned: the strangeness where there is nothing to compare
 * with.
 */
export const UNRELATED = 1;

/** Rows 0 to count - 1: what `leaveOneOut` takes by default. */
export function everyRow(count: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: count }, (_, i) => i);
}
