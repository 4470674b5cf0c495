/**
 * Class-balanced ridge regression in the dual: `(K + lambda W^-1) a = Y`, with exact leave-one-out for every lambda.
 * Rifkin and Lippert, Notes on Regularized Least Squares (2007), equation 6: `e_i = a_i / [(K + lambda W^-1)^-1]_ii`.
 */

import type { FitContext, Memory } from '../head.ts';
import { balanceWeights } from './class-balance.ts';
import { bestLambda, SEARCH_STEPS, searchLambda } from './lambda-search.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { ridgeSolver, type ManySolver, type RidgeMethod, type RidgeSolution } from './ridge-solver.ts';

export interface DualRidge {
  /** Float64Array, numExamples x numClasses: a. */
  readonly coefficients: Float64Array;
  /** Int32Array: the examples that `leftOut` covers. */
  readonly rows: Int32Array;
  /** Float64Array, rows x numClasses: leave-one-out scores. */
  readonly leftOut: Float64Array;
  /** Balanced leave-one-out accuracy; undefined where every class has one example. */
  readonly accuracy: number | undefined;
  /** Relative to the mean diagonal of the balanced kernel matrix. */
  readonly lambda: number;
  /** How many values of lambda were compared; 0 where it was given. */
  readonly tried: number;
  readonly method: RidgeMethod;
}

/**
 * @param kernel Float64Array, numExamples x numExamples, symmetric positive semidefinite; overwritten
 * @param given fixes lambda (relative), or lists the values to choose from by leave-one-out squared error; default a search
 * @param many for lists that are long enough
 */
export async function dualRidge(
  kernel: Float64Array,
  memory: Memory,
  context: FitContext,
  given?: number | readonly number[],
  many?: ManySolver,
): Promise<DualRidge> {
  const { classIndices, counts, numExamples, numClasses } = memory;
  // With S = W^1/2 the weighted problem is the plain one (S K S + lambda I) b = S Y, a = S b.
  const roots = balanceWeights(classIndices, counts).map(Math.sqrt);
  let trace = 0;
  for (let i = 0; i < numExamples; i++) {
    const row = i * numExamples;
    for (let j = 0; j < numExamples; j++) kernel[row + j] *= roots[i] * roots[j];
    trace += kernel[row + i];
  }
  const targets = new Float64Array(numExamples * numClasses);
  for (let i = 0; i < numExamples; i++) targets[i * numClasses + classIndices[i]] = roots[i];
  const unit = trace > 0 ? trace / numExamples : 1;
  const solves = typeof given === 'number' ? 1 : (given?.length ?? SEARCH_STEPS) + 1;
  const solver = await ridgeSolver(kernel, numExamples, targets, numClasses, context, { solves, many });

  let kept: { readonly lambda: number; readonly error: number; readonly solution: RidgeSolution } | undefined;
  const loss = async (lambda: number): Promise<number> => {
    const solution = await solver.solve(lambda * unit);
    const error = squaredError(solution, memory);
    if (kept === undefined || error < kept.error) kept = { lambda, error, solution };
    return error;
  };
  const { lambda, tried } =
    typeof given === 'number'
      ? { lambda: given, tried: 0 }
      : await (given === undefined ? searchLambda(loss) : bestLambda(given, loss));
  const solution = kept?.lambda === lambda ? kept.solution : await solver.solve(lambda * unit);
  const rows = leaveOneOutRows(memory, context);
  const leftOut = leaveOneOutScores(solution, memory, roots, rows);
  const { coefficients } = solution;
  for (let i = 0; i < numExamples; i++) {
    for (let c = i * numClasses; c < (i + 1) * numClasses; c++) coefficients[c] *= roots[i];
  }
  const accuracy = leaveOneOutAccuracy(leftOut, rows, classIndices, counts)?.accuracy;
  return { coefficients, rows, leftOut, accuracy, lambda, tried, method: solver.method };
}

/**
 * Class-balanced mean of squared leave-one-out errors. The scaled problem's errors are `b_i / D_ii = s_i e_i`, so their
 * squares are weighted already. Classes of one example do not count where others do: left out, they cannot be learnt.
 */
function squaredError(solution: RidgeSolution, memory: Memory): number {
  const { classIndices, counts, numClasses, numExamples } = memory;
  const anyPair = counts.some((count) => count > 1);
  let sum = 0;
  for (let i = 0; i < numExamples; i++) {
    if (anyPair && counts[classIndices[i]] === 1) continue;
    let squares = 0;
    for (let c = i * numClasses; c < (i + 1) * numClasses; c++) squares += solution.coefficients[c] ** 2;
    sum += squares / solution.inverseDiagonal[i] ** 2;
  }
  return sum;
}

/** Scores `y_i - e_i` of the examples `rows`, each from the problem without it. */
function leaveOneOutScores(
  solution: RidgeSolution,
  memory: Memory,
  roots: Float64Array,
  rows: Int32Array,
): Float64Array {
  const { classIndices, numClasses } = memory;
  const out = new Float64Array(rows.length * numClasses);
  for (const [r, i] of rows.entries()) {
    const scale = 1 / (solution.inverseDiagonal[i] * roots[i]);
    for (let c = 0; c < numClasses; c++) {
      out[r * numClasses + c] = -solution.coefficients[i * numClasses + c] * scale;
    }
    out[r * numClasses + classIndices[i]] += 1;
  }
  return out;
}
