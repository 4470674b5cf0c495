/** The contract of a head: what turns the memory of example codes into class scores. Nothing here is trained. */

import type { Gemm } from './gemm.ts';
import type { Memory } from './memory/memory.ts';
import type { AbortSignalLike } from './platform.ts';

export type { Memory } from './memory/memory.ts';

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
