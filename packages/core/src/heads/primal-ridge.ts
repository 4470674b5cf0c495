/**
 * Ridge regression from sums alone: `(G + lambda I) B = C`, lambda by generalised cross-validation.
 * Golub, Heath, Wahba (Technometrics 1979): `GCV = (RSS / n) / (1 - df / n)^2`, with `df = tr((G + lambda I)^-1 G)` and
 * `RSS = tr(Y^T Y) - 2 tr(B^T C) + tr(B^T G B)`: nothing but G, C and n.
 */

import type { FitContext } from '../head.ts';
import { choleskyFactor, inverseDiagonal, solveSymmetric, type CholeskyFactor } from '../linalg/cholesky.ts';
import { searchLambda } from './lambda-search.ts';

export interface RidgeMoments {
  /** Number of features M. */
  readonly order: number;
  readonly numClasses: number;
  readonly numExamples: number;
  /** Float64Array, M x M: `sum_i w_i f_i f_i^T`. */
  readonly gram: Float64Array;
  /** Float64Array, M x numClasses: `sum_i w_i f_i y_i^T`. */
  readonly cross: Float64Array;
  /** `sum_i w_i |y_i|^2`. */
  readonly targetSquares: number;
}

export interface PrimalRidge {
  /** Float64Array, M x numClasses. */
  readonly coefficients: Float64Array;
  readonly factor: CholeskyFactor;
  /** Relative to the mean squared length of the features. */
  readonly lambda: number;
  /** How many values of lambda were compared; 0 where it was given. */
  readonly tried: number;
}

/** Solves the ridge problem; `given` fixes lambda (relative). */
export async function primalRidge(moments: RidgeMoments, context: FitContext, given?: number): Promise<PrimalRidge> {
  const { order, numClasses, numExamples, gram, cross } = moments;
  let trace = 0;
  for (let i = 0; i < order; i++) trace += gram[i * order + i];
  const unit = trace > 0 ? trace / numExamples : 1;
  const solve = async (relative: number): Promise<{ factor: CholeskyFactor; coefficients: Float64Array }> => {
    const factor = await choleskyFactor(gram, order, context, relative * unit);
    return { factor, coefficients: await solveSymmetric(factor, cross, numClasses, context) };
  };
  const { lambda, tried } =
    given === undefined
      ? await searchLambda(async (relative) => {
          const { factor, coefficients } = await solve(relative);
          return crossValidation(moments, factor, coefficients, relative * unit, context);
        })
      : { lambda: given, tried: 0 };
  return { ...(await solve(lambda)), lambda, tried };
}

async function crossValidation(
  { order, numExamples, cross, targetSquares }: RidgeMoments,
  factor: CholeskyFactor,
  coefficients: Float64Array,
  lambda: number,
  context: FitContext,
): Promise<number> {
  const inverseTrace = (await inverseDiagonal(factor, context)).reduce((sum, x) => sum + x, 0);
  const freedom = order - lambda * inverseTrace;
  // From (G + lambda I) B = C: tr(B^T G B) = tr(B^T C) - lambda |B|^2.
  let fitted = 0;
  let squares = 0;
  for (let i = 0; i < cross.length; i++) {
    fitted += coefficients[i] * cross[i];
    squares += coefficients[i] * coefficients[i];
  }
  const residual = Math.max(0, targetSquares - fitted - lambda * squares);
  const left = 1 - freedom / numExamples;
  return left > 0 ? residual / numExamples / (left * left) : Infinity;
}
