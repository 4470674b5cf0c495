/**
 * Class-balanced ridge regression in the dual: `(K + lambda W^-1) a = Y`, with exact leave-one-out for every lambda.
 * Rifkin and Lippert, Notes on Regularized Least Squares (2007), equation 6: `e_i = a_i / [(K + lambda W^-1)^-1]_ii`.
 */

import type { FitContext, Memory } from '../head.ts';
import { balanceWeights } from './class-balance.ts';
import { DualBase, type DualKernel, type DualSolution, type UpdateDual } from './dual-base.ts';
import { bestLambda, lambdaGrid, SEARCH_STEPS, searchLambda } from './lambda-search.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { eigenSolver, MAX_EIGEN_ORDER, type ManySolver, type RidgeMethod } from './ridge-solver.ts';

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

/** Ways to solve that are not always needed. */
export interface DualMethods {
  /** For lists of lambda that are long enough. */
  readonly many?: ManySolver;
  /** For states close to one that was solved; absent: every state is solved from nothing. */
  readonly update?: () => Promise<UpdateDual>;
}

/** Solutions for values of `mu = lambda C / n`, with which `lambda W^-1 = mu N`, N the examples of each example's class. */
interface DualSystems {
  readonly method: RidgeMethod;
  readonly at: (mu: number) => Promise<DualSolution>;
  /** Hands what was solved to the next state. */
  readonly keep?: () => void;
}

/**
 * @param given fixes lambda (relative), or lists the values to choose from by leave-one-out squared error; default a search
 */
export async function dualRidge(
  kernel: DualKernel,
  memory: Memory,
  context: FitContext,
  given?: number | readonly number[],
  methods: DualMethods = {},
): Promise<DualRidge> {
  const { classIndices, counts, numExamples, numClasses } = memory;
  const weights = balanceWeights(classIndices, counts);
  let trace = 0;
  for (let i = 0; i < numExamples; i++) trace += weights[i] * kernel.diagonal[i];
  // From a relative lambda to mu.
  const unit = ((trace > 0 ? trace / numExamples : 1) * numClasses) / numExamples;
  const solves = typeof given === 'number' ? 1 : (given?.length ?? SEARCH_STEPS) + 1;
  const { method, at, keep } = await systemsOf(kernel, weights, memory, context, solves, methods);

  let kept: { readonly mu: number; readonly error: number; readonly solution: DualSolution } | undefined;
  const loss = async (mu: number): Promise<number> => {
    const solution = await at(mu);
    const error = squaredError(solution, memory, weights);
    if (kept === undefined || error < kept.error) kept = { mu, error, solution };
    return error;
  };
  const { mu, lambda, tried } = await chosen(unit, loss, given);
  const solution = kept?.mu === mu ? kept.solution : await at(mu);
  keep?.();
  const rows = leaveOneOutRows(memory, context);
  const leftOut = leaveOneOutScores(solution, memory, rows);
  const accuracy = leaveOneOutAccuracy(leftOut, rows, classIndices, counts)?.accuracy;
  return { coefficients: solution.coefficients, rows, leftOut, accuracy, lambda, tried, method };
}

async function chosen(
  unit: number,
  loss: (mu: number) => Promise<number>,
  given: number | readonly number[] | undefined,
): Promise<{ readonly mu: number; readonly lambda: number; readonly tried: number }> {
  if (typeof given === 'number') return { mu: given * unit, lambda: given, tried: 0 };
  if (given !== undefined) {
    const { lambda, tried } = await bestLambda(given, (one) => loss(one * unit));
    return { mu: lambda * unit, lambda, tried };
  }
  const { step, rounded } = lambdaGrid(unit);
  const { lambda, tried } = await searchLambda((one) => loss(one * step), rounded);
  const mu = lambda * step;
  return { mu, lambda: mu / unit, tried };
}

async function systemsOf(
  kernel: DualKernel,
  weights: Float64Array,
  memory: Memory,
  context: FitContext,
  solves: number,
  { many, update }: DualMethods,
): Promise<DualSystems> {
  const { codes, width, numExamples: n } = memory;
  const isSmall = n <= MAX_EIGEN_ORDER;
  if (isSmall || (many && solves >= many.least)) {
    const matrix = await kernel.between(codes, n, codes, n);
    const start = isSmall ? eigenSolver : (many as ManySolver).start;
    return scaledSystems(matrix, weights, memory, context, start);
  }
  const { parameters } = kernel;
  const { carry } = context;
  if (!carry || !update || parameters === undefined || !DualBase.isKept(memory)) {
    const base = new DualBase(memory, await kernel.between(codes, n, codes, n), false);
    return { method: 'cholesky', at: (mu) => base.at(mu, kernel, context) };
  }
  const carried = carry.take<DualBase>('dual', parameters, codes, width);
  // It saves time alone: where its script cannot be loaded (a page without a network), the state is solved from nothing.
  const updateFrom = carried && (await update().catch(() => undefined));
  const updated = carried && (await updateFrom?.(carried.value, memory, carried.sources, kernel, context));
  if (updated) return { method: 'cholesky', at: updated };
  const base = new DualBase(memory, await kernel.between(codes, n, codes, n), true);
  return {
    method: 'cholesky',
    at: (mu) => base.at(mu, kernel, context),
    keep: () => {
      base.release();
      carry.put('dual', parameters, codes, base);
    },
  };
}

/** With S = W^1/2 the weighted problem is the plain one `(S K S + lambda I) b = S Y`, a = S b. @param matrix K; overwritten */
async function scaledSystems(
  matrix: Float64Array,
  weights: Float64Array,
  memory: Memory,
  context: FitContext,
  start: ManySolver['start'],
): Promise<DualSystems> {
  const { classIndices, numExamples: n, numClasses } = memory;
  const roots = weights.map(Math.sqrt);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) matrix[at] *= roots[i] * roots[j];
  const targets = new Float64Array(n * numClasses);
  for (let i = 0; i < n; i++) targets[i * numClasses + classIndices[i]] = roots[i];
  const solver = await start(matrix, n, targets, numClasses, context);
  return {
    method: solver.method,
    at: async (mu) => {
      const { coefficients, inverseDiagonal } = await solver.solve((mu * n) / numClasses);
      for (let i = 0; i < n; i++) {
        inverseDiagonal[i] *= weights[i];
        for (let c = i * numClasses; c < (i + 1) * numClasses; c++) coefficients[c] *= roots[i];
      }
      return { coefficients, inverseDiagonal };
    },
  };
}

/**
 * Class-balanced mean of squared leave-one-out errors. Classes of one example do not count where others do: left out, they
 * cannot be learnt.
 */
function squaredError({ coefficients, inverseDiagonal }: DualSolution, memory: Memory, weights: Float64Array): number {
  const { classIndices, counts, numClasses, numExamples } = memory;
  const anyPair = counts.some((count) => count > 1);
  let sum = 0;
  for (let i = 0; i < numExamples; i++) {
    if (anyPair && counts[classIndices[i]] === 1) continue;
    let squares = 0;
    for (let c = i * numClasses; c < (i + 1) * numClasses; c++) squares += coefficients[c] ** 2;
    sum += (weights[i] * squares) / inverseDiagonal[i] ** 2;
  }
  return sum;
}

/** Scores `y_i - e_i` of the examples `rows`, each from the problem without it. */
function leaveOneOutScores(
  { coefficients, inverseDiagonal }: DualSolution,
  { classIndices, numClasses }: Memory,
  rows: Int32Array,
): Float64Array {
  const out = new Float64Array(rows.length * numClasses);
  for (const [r, i] of rows.entries()) {
    const scale = 1 / inverseDiagonal[i];
    for (let c = 0; c < numClasses; c++) out[r * numClasses + c] = -coefficients[i * numClasses + c] * scale;
    out[r * numClasses + classIndices[i]] += 1;
  }
  return out;
}
