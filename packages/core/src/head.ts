/** The contract of a head: what turns the memory of example codes into class scores. Nothing here is trained. */

import type { SameClassCosines } from './backbone.ts';
import type { Gemm } from './gemm.ts';
import type { Carry } from './memory/carry.ts';
import type { Memory } from './memory/memory.ts';
import type { AbortSignalLike } from './platform.ts';

export type { Memory } from './memory/memory.ts';

/**
 * What is left of examples in statistics mode: sums only, constant in the number of examples. All entries are exact integers,
 * so adding and removing are exact whatever the order.
 */
export interface StatisticsMemory {
  readonly taps: number;
  readonly dim: number;
  readonly width: number;
  readonly numClasses: number;
  readonly numExamples: number;
  /** Int32Array, numClasses: examples of each class, each at least 1. */
  readonly counts: Int32Array;
  /** Float64Array, numClasses x width: exact integer sums of codes. */
  readonly sums: Float64Array;
  /** Float64Array, width x width: the exact Gram matrix of the codes of all examples, `sum_i q_i q_i^T`. */
  readonly gram: Float64Array;
}

/** New examples that could be of the classes that sums are of; see `drawExamples`. */
export interface DrawnExamples {
  /** Int8Array, numDrawn x width, row-major. */
  readonly codes: Int8Array;
  /** Int32Array, numDrawn. */
  readonly classIndices: Int32Array;
  /** Int32Array, numClasses: examples of each class and a drawn one, which leave-one-out takes away again. */
  readonly counts: Int32Array;
}

export interface FitContext {
  readonly gemm: Gemm;
  readonly signal?: AbortSignalLike;
  /** Called between blocks of work; a runtime lets its event loop turn here. Absent: the fit runs through. */
  readonly yieldToHost?: () => Promise<void>;
  /**
   * Largest dense system that `auto` solves: above this many examples its ridge takes half as many random features.
   * Default 4096, some seconds with a fast Gemm; a runtime whose f64 products are slow gives less.
   */
  readonly maxOrder?: number;
  /**
   * What the last solves computed, to start from: exact sums, and systems from which solutions follow to within the rounding of a
   * factor in f64. Absent: everything is computed anew.
   */
  readonly carry?: Carry;
  /** Numbers (rows x classes) that leave-one-out may take: above, a sample of examples stands for all. Default 2^18. */
  readonly leaveOneOutEntries?: number;
  /** What the backbone is known to see alike. Absent: novelty goes by the examples alone. */
  readonly sameClass?: SameClassCosines;
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
  /**
   * The same scores, bit for bit, faster for many queries: exact integer products go through the Gemm. Absent where `scoresInto` is as fast.
   * @param codes Int8Array, numQueries x width, row-major
   * @returns Float64Array, numQueries x numClasses, row-major; the caller owns it
   */
  scores?(codes: Int8Array, numQueries: number): Promise<Float64Array>;
  /**
   * Each example's scores from the head's equations without it. What was chosen or measured on all examples is held (lambda, shrinkage,
   * class-balancing weights, ...: each head's file says what), so a fit to the others alone can differ, most where its class has few.
   * Float64Array, leaveOneOutRows.length (absent: numExamples) x numClasses; the head owns it.
   */
  leaveOneOut(): Float64Array;
  /** Int32Array, ascending: the examples that `leaveOneOut` covers, a sample where all would be too many. Absent: all. */
  readonly leaveOneOutRows?: Int32Array;
}

export interface Head {
  readonly name: string;
  /** Solves from `memory` alone: equal memory gives equal scores, bit for bit on one engine but for the rounding of what is carried. */
  fit(memory: Memory, context: FitContext): Promise<FittedHead>;
  /**
   * Solves from sums alone; absent where the head needs the examples. `leaveOneOut` is of the drawn examples, as if they were among those
   * summed; without them it throws UNSUPPORTED.
   */
  fitFromStatistics?(statistics: StatisticsMemory, context: FitContext, drawn?: DrawnExamples): Promise<FittedHead>;
}
