/** Solves `(A + lambda I) B = R` for several lambda, with the diagonal of the inverse: by eigenvectors, a band, or Cholesky. */

import type { FitContext } from '../head.ts';
import { reduceToBand } from '../linalg/band-reduction.ts';
import { bandedSystem } from '../linalg/banded-system.ts';
import { choleskyFactor } from '../linalg/cholesky.ts';
import { inverseDiagonal, solveSymmetric } from '../linalg/cholesky-solve.ts';
import { symmetricEigen } from '../linalg/symmetric-eigen.ts';

export interface RidgeSolution {
  /** Float64Array, order x count: `(A + lambda I)^-1 R`. */
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
/**
 * Above, each lambda takes a Cholesky factor and its inverse, `2/3 order^3` multiplications in the Gemm. From this many on one
 * reduction to a band (`5/3 order^3`; then `2 band order^2` a lambda) costs less. Measured break-even at 1,000 to 4,096 examples:
 * 5 values through ONNX Runtime, 7 in WebAssembly. A search could take 8 but stops after 4 or 5 as a rule.
 */
export const LEAST_BAND_SOLVES = 9;
/** 64 costs each lambda half as much again and saves nothing in the reduction; 16 costs as much a lambda. */
const BAND = 32;

/** The method for a number of solves: see the constants. */
export function ridgeMethod(order: number, solves: number): RidgeMethod {
  if (order <= MAX_EIGEN_ORDER) return 'eigen';
  return solves >= LEAST_BAND_SOLVES ? 'band' : 'cholesky';
}

/**
 * @param matrix Float64Array, order x order, symmetric positive semidefinite; kept, not changed
 * @param right Float64Array, order x count; kept, not changed
 */
export async function ridgeSolver(
  matrix: Float64Array,
  order: number,
  right: Float64Array,
  count: number,
  context: FitContext,
  method: RidgeMethod,
): Promise<RidgeSolver> {
  if (method === 'eigen') return eigenSolver(matrix, order, right, count);
  if (method === 'cholesky') return choleskySolver(matrix, order, right, count, context);
  const reduction = await reduceToBand(matrix, order, context, BAND);
  const solve = await bandedSystem(reduction, right, count, context);
  return {
    method,
    async solve(lambda) {
      const { solved, inverseDiagonal: diagonal } = await solve(lambda);
      return { coefficients: solved, inverseDiagonal: diagonal };
    },
  };
}

function choleskySolver(
  matrix: Float64Array,
  order: number,
  right: Float64Array,
  count: number,
  context: FitContext,
): RidgeSolver {
  return {
    method: 'cholesky',
    async solve(lambda) {
      const factor = await choleskyFactor(matrix, order, context, lambda);
      const coefficients = await solveSymmetric(factor, right, count, context);
      return { coefficients, inverseDiagonal: await inverseDiagonal(factor, context) };
    },
  };
}

/** `(A + lambda I)^-1 = V diag(1 / (d + lambda)) V^T`. */
function eigenSolver(matrix: Float64Array, order: number, right: Float64Array, count: number): RidgeSolver {
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
