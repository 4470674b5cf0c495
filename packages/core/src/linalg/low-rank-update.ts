/**
 * Solutions with `A + U^T S U` from solutions with A, for a few rows U and a diagonal S of either sign: Woodbury's identity
 * (Hager, Updating the Inverse of a Matrix, SIAM Review 1989, equation 2),
 *
 *     (A + U^T S U)^-1 = A^-1 - P^T K P,   P = U A^-1,   (I + S U P^T) K = S
 *
 * in `4 order k` operations a right-hand side, where a solve takes `2 order^2`.
 */

import { ImprintError } from '../errors.ts';
import type { FitContext } from '../head.ts';
import { subtractProduct } from './products-in-place.ts';

export class LowRankUpdate {
  readonly #order: number;
  readonly #count: number;
  readonly #rows: Float64Array;
  readonly #solved: Float64Array;
  /** K, count x count. */
  readonly #inner: Float64Array;

  private constructor(order: number, count: number, rows: Float64Array, solved: Float64Array, inner: Float64Array) {
    this.#order = order;
    this.#count = count;
    this.#rows = rows;
    this.#solved = solved;
    this.#inner = inner;
  }

  /**
   * @param rows U: Float64Array, count x order, row-major; kept, not changed
   * @param solved P, shaped alike: each row solved with A; kept, not changed
   * @param weights the diagonal of S: Float64Array, count
   * @throws NOT_POSITIVE_DEFINITE where the sum is singular
   */
  static async of(
    order: number,
    rows: Float64Array,
    solved: Float64Array,
    weights: Float64Array,
    context: FitContext,
  ): Promise<LowRankUpdate> {
    const count = weights.length;
    const gap = await context.gemm.f64(rows, solved, { m: count, n: count, k: order, transposeB: true });
    const inner = new Float64Array(count * count);
    for (let i = 0; i < count; i++) {
      for (let j = i * count; j < (i + 1) * count; j++) gap[j] *= weights[i];
      gap[i * count + i] += 1;
      inner[i * count + i] = weights[i];
    }
    solveInPlace(gap, inner, count);
    return new LowRankUpdate(order, count, rows, solved, inner);
  }

  /**
   * Turns solutions with A into those with `A + U^T S U`.
   * @param solutions Float64Array, count x order: one a row; overwritten
   */
  async correct(solutions: Float64Array, count: number, context: FitContext): Promise<void> {
    const along = await this.#along(solutions, count, context);
    const [n, k] = [this.#order, this.#count];
    const left = await context.gemm.f64(along, this.#inner, { m: count, n: k, k });
    await subtractProduct(solutions, left, this.#solved, { m: count, n, k }, context);
  }

  /**
   * The same for `r^T A^-1 r` of each row r.
   * @param forms Float64Array, count; overwritten
   * @param rows Float64Array, count x order; not changed
   */
  async correctForms(forms: Float64Array, rows: Float64Array, count: number, context: FitContext): Promise<void> {
    const k = this.#count;
    const along = await context.gemm.f64(rows, this.#solved, { m: count, n: k, k: this.#order, transposeB: true });
    const left = await context.gemm.f64(along, this.#inner, { m: count, n: k, k });
    for (let i = 0; i < count; i++) {
      for (let j = i * k; j < (i + 1) * k; j++) forms[i] -= along[j] * left[j];
    }
  }

  /** `X U^T` of rows X. */
  #along(solutions: Float64Array, count: number, { gemm }: FitContext): Promise<Float64Array> {
    return gemm.f64(solutions, this.#rows, { m: count, n: this.#count, k: this.#order, transposeB: true });
  }
}

/**
 * @param matrix Float64Array, order x order, of either sign; overwritten
 * @returns its inverse, the caller owns it
 * @throws NOT_POSITIVE_DEFINITE where it is singular
 */
export function invert(matrix: Float64Array, order: number): Float64Array {
  const inverse = new Float64Array(order * order);
  for (let i = 0; i < order; i++) inverse[i * order + i] = 1;
  solveInPlace(matrix, inverse, order);
  return inverse;
}

/** Gaussian elimination with partial pivoting: `right` becomes `matrix^-1 right`, both order x order and overwritten. */
function solveInPlace(matrix: Float64Array, right: Float64Array, order: number): void {
  for (let j = 0; j < order; j++) {
    let pivot = j;
    for (let i = j + 1; i < order; i++) {
      if (Math.abs(matrix[i * order + j]) > Math.abs(matrix[pivot * order + j])) pivot = i;
    }
    const value = matrix[pivot * order + j];
    if (!(Math.abs(value) > 0 && Math.abs(value) < Infinity)) {
      throw new ImprintError(
        'NOT_POSITIVE_DEFINITE',
        `Expected a change of ${order} rows that leaves a positive definite matrix, got pivot ${value}. Factor anew, or use a larger lambda.`,
      );
    }
    if (pivot !== j) {
      swapRows(matrix, order, j, pivot);
      swapRows(right, order, j, pivot);
    }
    const from = j * order;
    for (let i = j + 1; i < order; i++) {
      const to = i * order;
      const factor = matrix[to + j] / value;
      if (factor === 0) continue;
      for (let c = j + 1; c < order; c++) matrix[to + c] -= factor * matrix[from + c];
      for (let c = 0; c < order; c++) right[to + c] -= factor * right[from + c];
    }
  }
  for (let i = order - 1; i >= 0; i--) {
    const to = i * order;
    for (let p = i + 1; p < order; p++) {
      const factor = matrix[to + p];
      for (let c = 0; c < order; c++) right[to + c] -= factor * right[p * order + c];
    }
    const scale = 1 / matrix[to + i];
    for (let c = 0; c < order; c++) right[to + c] *= scale;
  }
}

function swapRows(matrix: Float64Array, width: number, a: number, b: number): void {
  const kept = matrix.slice(a * width, (a + 1) * width);
  matrix.copyWithin(a * width, b * width, (b + 1) * width);
  matrix.set(kept, b * width);
}
