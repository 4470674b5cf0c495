/** The contract of a head: what turns the memory of example codes into class scores. Nothing here is trained. */

import type { Gemm } from './gemm.ts';
import type { AbortSignalLike } from './platform.ts';

/**
 * What heads and scores read: the example codes in canonical order (label, then id) and their class sums.
 * `width` is `taps * dim`. The arrays belong to the memory: read, never write.
 */
export interface Memory {
  readonly taps: number;
  readonly dim: number;
  readonly width: number;
  readonly numClasses: number;
  readonly numExamples: number;
  /** Int8Array, numExamples x width, row-major; each tap's vector has length `sqrt(dim) * 127 / 6` before rounding. */
  readonly codes: Int8Array;
  /** Int32Array, numExamples: class index of each example, ascending. */
  readonly classIndices: Int32Array;
  /** Int32Array, numClasses: examples of each class, each at least 1. */
  readonly counts: Int32Array;
  /** Float64Array, numClasses x width: exact integer sums of codes. */
  readonly sums: Float64Array;
}

export interface FitContext {
  readonly gemm: Gemm;
  readonly signal?: AbortSignalLike;
}

/** What a head says about itself: plain JSON, shown by `info` and `eval`. */
export interface HeadReport {
  readonly head: string;
  readonly parameters: Readonly<Record<string, number | string>>;
  /** Leave-one-out accuracy from 0 to 1, where the head has one. */
  readonly leaveOneOutAccuracy?: number;
  /** One sentence: why this head, why these parameters. */
  readonly reason: string;
}

export interface FittedHead {
  readonly report: HeadReport;
  readonly numClasses: number;
  /**
   * Class scores of queries, higher is likelier; comparable within a query only.
   * @param codes Int8Array, numQueries x width, row-major
   * @param out Float64Array, numQueries x numClasses, row-major, overwritten
   */
  scoresInto(codes: Int8Array, numQueries: number, out: Float64Array): void;
  /** Float64Array, numExamples x numClasses: each example's scores from the head fitted without it. The head owns it. */
  leaveOneOut(): Float64Array;
}

export interface Head {
  readonly name: string;
  /** Solves from `memory` alone: equal memory gives equal scores, bit for bit, on one engine. */
  fit(memory: Memory, context: FitContext): Promise<FittedHead>;
}
