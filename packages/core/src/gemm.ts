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

/** What came of a panel of a Cholesky factorisation. */
export interface CholeskyPanel {
  /** The pivot, from 0 in this panel, that was not above its least value; -1 where all were. */
  readonly failed: number;
  /** Its value. */
  readonly pivot: number;
  /** The inverse of the diagonal block, width x width; the caller owns it. */
  readonly inverse: Float64Array;
}

/** A lower triangle L with blocks on its diagonal and left of it. */
export interface BlockBidiagonal {
  /** Float64Arrays, w_k x w_k, row-major: the inverse of each block on the diagonal. */
  readonly inverses: readonly Float64Array[];
  /** Float64Arrays, w_k x w_k-1: the block left of it; empty for the first. */
  readonly acrosses: readonly Float64Array[];
}

/**
 * Row-major products `op(A) op(B)`, m x n. The caller owns what is returned; the inputs are not changed.
 * Products of integers are exact where every partial sum stays within 2^24 (f32) or 2^53 (f64).
 */
export interface Gemm {
  /** Says who computes, for reports: `onnxruntime-node cpu`, `typescript`. */
  readonly name: string;
  /**
   * @param out where the product may go, m x n, sharing no memory with the others: what is returned is `out`, or an array of the
   *   engine's own with `out` as it was
   */
  f32(a: Float32Array, b: Float32Array, shape: GemmShape, out?: Float32Array): Promise<Float32Array>;
  f64(a: Float64Array, b: Float64Array, shape: GemmShape, out?: Float64Array): Promise<Float64Array>;
  /**
   * `C -= op(A) op(B)` in place, for engines that can without an array for the product; `c` is m x n and shares no memory with
   * the others.
   */
  subtract64?(c: Float64Array, a: Float64Array, b: Float64Array, shape: GemmShape): Promise<void>;
  /** The same in f32. */
  subtract32?(c: Float32Array, a: Float32Array, b: Float32Array, shape: GemmShape): Promise<void>;
  /**
   * `A B` of bytes, exact, for engines on which it was proven so. A has values from 0 to 127, B from -127 to 127; a shape
   * transposes neither. Sums must stay within 2^31: k at most 133,143.
   */
  int8?(a: Int8Array, b: Int8Array, shape: GemmShape): Promise<Int32Array>;
  /**
   * A step of a left-looking Cholesky factorisation in place, for engines that keep a panel close meanwhile: subtracts from
   * `panel` (rows x width, its diagonal block on top) the products of each panel `before` it (the same rows, row-major) with
   * that one's first `width` rows, factors the diagonal block, and solves the rest against it.
   * @param least a pivot must be above these, one for each column
   * @param onInverse told the inverse of the diagonal block as soon as there is one, not to be changed
   * @returns undefined, with nothing done, for shapes that it is not made for
   */
  choleskyPanel64?(
    panel: Float64Array,
    width: number,
    before: readonly Float64Array[],
    least: Float64Array,
    onInverse?: (inverse: Float64Array) => void,
  ): Promise<CholeskyPanel | undefined>;
  /**
   * Squared lengths of the rows of `R L^-T`, for engines that can without handing out a block between two products.
   * @param right for each block of L its columns of R: Float64Array, rows x w_k
   */
  bidiagonalSquares64?(right: readonly Float64Array[], rows: number, factor: BlockBidiagonal): Promise<Float64Array>;
  /**
   * `R (L L^T)^-1`, rows x order, in the same way.
   * @returns undefined, with nothing done, for more blocks than it is made for
   */
  bidiagonalSolve64?(
    right: readonly Float64Array[],
    rows: number,
    factor: BlockBidiagonal,
  ): Promise<Float64Array | undefined>;
}
