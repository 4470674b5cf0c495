/** What heads and scores read of the examples: plain arrays in canonical order. */

/**
 * Example codes in canonical order (label, then id) and their class sums; `width` is `taps * dim`.
 * The arrays belong to the memory: read, never write.
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
