/** Solves `(A + lambda I) B = R` for several lambda, with the diagonal of the inverse, from one reduction of A: by eigenvectors, or a band. */

import type { FitContext } from '../head.ts';
import { symmetricEigen } from '../linalg/symmetric-eigen.ts';

export interface RidgeSolution {
  /** Float64Array, order x count: `(A + lambda I)^-1 R`; the caller owns both. */
  readonly coefficients: Float64Array;
  /** Float64Array, order: diagonal of `(A + lambda I)^-1`. */
  readonly inverseDiagonal: Float64Array;
}

export type RidgeMethod = 'eigen' | 'band' | 'cholesky';

export interface RidgeSolver {
  readonly method: RidgeMethod;
  solve(lambda: number): Promise<RidgeSolution>;
}

/** Up to this order one eigendecomposition (about 9 order^3 multiplications, plain loops) serves every lambda. */
export const MAX_EIGEN_ORDER = 96;
/** A method for many values of lambda, from which number on it pays, and how it starts. */
export interface ManySolver {
  readonly least: number;
  readonly start: (
    matrix: Float64Array,
    order: number,
    right: Float64Array,
    count: number,
    context: FitContext,
  ) => Promise<RidgeSolver> | RidgeSolver;
}

/** `(A + lambda I)^-1 = V diag(1 / (d + lambda)) V^T`. */
export function eigenSolver(matrix: Float64Array, order: number, right: Float64Array, count: number): RidgeSolver {
  const { values, vectors } = symmetricEigen(matrix, order);
  const rotated = new Float64Array(order * count);
  for (let i = 0; i < order; i++) {
    for (let k = 0; k < order; k++) {
      const v = vectors[i * order + k];
      for (let c = 0; c < count; c++) rotated[k * count + c] += v * right[i * count + c];
    }
  }
  return {
    method: 'eigen',
    async solve(lambda) {
      const coefficients = new Float64Array(order * count);
      const diagonal = new Float64Array(order);
      for (let i = 0; i < order; i++) {
        const row = i * count;
        for (let k = 0; k < order; k++) {
          // Rounding leaves eigenvalues of a semidefinite matrix a little below zero.
          const v = vectors[i * order + k] / (Math.max(0, values[k]) + lambda);
          diagonal[i] += v * vectors[i * order + k];
          for (let c = 0; c < count; c++) coefficients[row + c] += v * rotated[k * count + c];
        }
      }
      return { coefficients, inverseDiagonal: diagonal };
    },
  };
}
