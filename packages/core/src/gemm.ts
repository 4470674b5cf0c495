/** The contract of dense matrix products; runtimes inject ONNX Runtime's, core's own is a typed-array kernel. */

export interface GemmShape {
  /** Rows of the product. */
  readonly m: number;
  /** Columns of the product. */
  readonly n: number;
  /** Inner dimension. */
  readonly k: number;
  /** `a` is stored k x m. Default false (m x k). */
  readonly transposeA?: boolean;
  /** `b` is stored n x k. Default false (k x n). */
  readonly transposeB?: boolean;
}

/**
 * Row-major products `op(A) op(B)`, m x n. The caller owns what is returned; the inputs are not changed.
 * Products of integers are exact where every partial sum stays within 2^24 (f32) or 2^53 (f64).
 */
export interface Gemm {
  /** Says who computes, for reports: `onnxruntime-node cpu`, `typescript`. */
  readonly name: string;
  f32(a: Float32Array, b: Float32Array, shape: GemmShape): Promise<Float32Array>;
  f64(a: Float64Array, b: Float64Array, shape: GemmShape): Promise<Float64Array>;
}
