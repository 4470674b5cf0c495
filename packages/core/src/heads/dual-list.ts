/**
 * The best of listed values of lambda in the dual, by squared leave-one-out error, each solved exactly; many of them from one reduction
 * to a band.
 */

import type { FitContext } from '../head.ts';
import { reduceToBand } from '../linalg/band-reduction.ts';
import { bandedSystem } from '../linalg/banded-system.ts';
import type { DualSolution } from './dual-base.ts';
import { LeastError, systemsOf, type ChooseDual, type DualProblem, type DualSystems } from './dual-ridge.ts';
import { bestLambda } from './lambda-search.ts';
import { lossShares, squaredError } from './leave-one-out-loss.ts';

/** 64 costs each lambda half as much again and saves nothing in the reduction; 16 costs as much a lambda. */
const BAND = 32;

/**
 * Values of lambda from which on a band pays: one reduction (`5/3 order^3`), then `2 band order^2` each, where a Cholesky factor and
 * its inverse take `2/3 order^3` multiplications. Measured break-even at 1,000 to 4,096 examples: 5 values through ONNX
 * Runtime, 7 in WebAssembly.
 */
export const LEAST_FOR_BAND = 8;

/** @param lambdas relative, at least one */
export function bestOfList(lambdas: readonly number[]): ChooseDual {
  return async (problem) => {
    const { memory, weights, unit } = problem;
    const systems = await (lambdas.length < LEAST_FOR_BAND ? systemsOf(problem) : bandedSystems(problem));
    const shares = lossShares(memory, weights);
    const kept = new LeastError();
    const choice = await bestLambda(lambdas, async (lambda) => {
      const solution = await systems.at(lambda * unit);
      const error = squaredError(solution, shares);
      kept.add(lambda * unit, error, solution);
      return error;
    });
    const mu = choice.lambda * unit;
    const solution = kept.at(mu) ?? (await systems.at(mu));
    systems.keep?.(choice.tried);
    return { ...choice, method: systems.method, solution };
  };
}

/** With S = W^1/2 the weighted problem is the plain one `(S K S + lambda I) b = S Y`, a = S b. */
async function bandedSystems({ kernel, memory, weights, context }: DualProblem): Promise<DualSystems<DualSolution>> {
  const { codes, classIndices, numExamples: n, numClasses } = memory;
  const matrix = await kernel.between(codes, n, codes, n);
  const roots = weights.map(Math.sqrt);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) matrix[at] *= roots[i] * roots[j];
  const targets = new Float64Array(n * numClasses);
  for (let i = 0; i < n; i++) targets[i * numClasses + classIndices[i]] = roots[i];
  const solve = await manyRidges(matrix, n, targets, numClasses, context);
  return {
    method: 'band',
    at: async (mu) => {
      const { coefficients, inverseDiagonal } = await solve((mu * n) / numClasses);
      for (let i = 0; i < n; i++) {
        inverseDiagonal[i] *= weights[i];
        for (let c = i * numClasses; c < (i + 1) * numClasses; c++) coefficients[c] *= roots[i];
      }
      return { coefficients, inverseDiagonal };
    },
  };
}

/**
 * `(A + lambda I)^-1 R` and the diagonal of the inverse for many values of lambda.
 * @param matrix A: Float64Array, order x order, symmetric; overwritten
 * @param right R: Float64Array, order x count
 */
export async function manyRidges(
  matrix: Float64Array,
  order: number,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<(lambda: number) => Promise<DualSolution>> {
  const reduction = await reduceToBand(matrix, order, context, BAND);
  const solve = await bandedSystem(reduction, right, count, context);
  return async (lambda) => {
    const { solved, inverseDiagonal } = await solve(lambda);
    return { coefficients: solved, inverseDiagonal };
  };
}
