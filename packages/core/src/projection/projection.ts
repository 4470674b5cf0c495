/** The contract of a random projection: example codes become int8 features, the same bits everywhere. */

import type { FitContext } from '../head.ts';

export interface Projection {
  readonly name: string;
  /** M, the number of features. */
  readonly numFeatures: number;
  /** What it was made with, seed included, for the report. */
  readonly parameters: Readonly<Record<string, number>>;
  /**
   * Projects through the Gemm.
   * @param codes Int8Array, count x width, row-major
   * @returns Int8Array, count x numFeatures; the caller owns it
   */
  project(codes: Int8Array, count: number, context: FitContext): Promise<Int8Array>;
  /** The same features, bit for bit, without a Gemm, into `out` (count x numFeatures). */
  projectInto(codes: Int8Array, count: number, out: Int8Array): void;
}

/** What a projection needs to know of the codes. */
export interface ProjectionInput {
  readonly taps: number;
  readonly dim: number;
  /** Float64Array, taps, adding up to 1. */
  readonly tapWeights: Float64Array;
}
