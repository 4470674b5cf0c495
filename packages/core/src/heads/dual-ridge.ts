/**
 * Class-balanced ridge regression in the dual: `(K + lambda W^-1) a = Y`, with exact leave-one-out for every lambda.
 * Rifkin and Lippert, Notes on Regularized Least Squares (2007), equation 6: `e_i = a_i / [(K + lambda W^-1)^-1]_ii`.
 */

import type { FitContext, Memory } from '../head.ts';
import { balanceWeights } from './class-balance.ts';
import { DualBase, type DualKernel, type DualSolution, type DualSystem, type UpdateDual } from './dual-base.ts';
import { lambdaGrid, searchLambda, type LambdaChoice } from './lambda-search.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { leaveOneOutLoss, lossShares } from './leave-one-out-loss.ts';

export type RidgeMethod = 'band' | 'cholesky';

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
  /** Instead of a search for lambda. */
  readonly choose?: ChooseDual;
  /** For states close to one that was solved; absent: every state is solved from nothing. */
  readonly update?: () => Promise<UpdateDual>;
}

/** What lambda is chosen for. */
export interface DualProblem {
  readonly kernel: DualKernel;
  readonly memory: Memory;
  readonly context: FitContext;
  /** Float64Array, numExamples: `balanceWeights`. */
  readonly weights: Float64Array;
  /** From a relative lambda to mu. */
  readonly unit: number;
  /** See `DualMethods`. */
  readonly update: (() => Promise<UpdateDual>) | undefined;
}

export interface ChosenDual extends LambdaChoice {
  readonly method: RidgeMethod;
  readonly solution: DualSolution;
}

export type ChooseDual = (problem: DualProblem) => Promise<ChosenDual>;

/** Solutions for values of `mu = lambda C / n`, with which `lambda W^-1 = mu N`, N the examples of each example's class. */
export interface DualSystems<Solution extends DualSolution> {
  readonly method: RidgeMethod;
  readonly at: (mu: number) => Promise<Solution>;
  /** Hands what was solved for so many values of mu to the next state. */
  readonly keep?: (tried: number) => void;
}

/** @param given fixes lambda (relative); default a search, or `methods.choose` */
export async function dualRidge(
  kernel: DualKernel,
  memory: Memory,
  context: FitContext,
  given?: number,
  { choose, update }: DualMethods = {},
): Promise<DualRidge> {
  const { classIndices, counts, numExamples, numClasses } = memory;
  const weights = balanceWeights(classIndices, counts);
  let trace = 0;
  for (let i = 0; i < numExamples; i++) trace += weights[i] * kernel.diagonal[i];
  const unit = ((trace > 0 ? trace / numExamples : 1) * numClasses) / numExamples;
  const problem = { kernel, memory, context, weights, unit, update };
  const chosen = given === undefined ? await (choose ?? searched)(problem) : await solvedAt(given, problem);
  const { method, solution, lambda, tried } = chosen;
  const rows = leaveOneOutRows(memory, context);
  const leftOut = leaveOneOutScores(solution, memory, rows);
  const accuracy = leaveOneOutAccuracy(leftOut, rows, classIndices, counts)?.accuracy;
  return { coefficients: solution.coefficients, rows, leftOut, accuracy, lambda, tried, method };
}

/** Of those solved for, the one with the least error stays at hand. */
export class LeastError {
  #kept: { readonly mu: number; readonly error: number; readonly solution: DualSolution } | undefined;

  add(mu: number, error: number, solution: DualSolution): void {
    if (this.#kept === undefined || error < this.#kept.error) this.#kept = { mu, error, solution };
  }

  at(mu: number): DualSolution | undefined {
    return this.#kept?.mu === mu ? this.#kept.solution : undefined;
  }
}

async function solvedAt(lambda: number, problem: DualProblem): Promise<ChosenDual> {
  const { method, at, keep } = await systemsOf(problem);
  const solution = await at(lambda * problem.unit);
  keep?.(1);
  return { lambda, tried: 0, method, solution };
}

const searched: ChooseDual = async (problem) => {
  const { memory, weights, context, unit } = problem;
  const systems = await systemsOf(problem);
  const loss = leaveOneOutLoss(memory, lossShares(memory, weights), context);
  const kept = new LeastError();
  const { step, rounded } = lambdaGrid(unit);
  const choice = await searchLambda(
    async (relative) => {
      const system = await systems.at(relative * step);
      const expansion = await loss(system, relative * step);
      kept.add(relative * step, expansion.value, system);
      return expansion;
    },
    rounded,
    memory.numExamples,
  );
  const mu = choice.lambda * step;
  const solution = kept.at(mu) ?? (await systems.at(mu));
  systems.keep?.(choice.tried);
  return { lambda: mu / unit, tried: choice.tried, method: systems.method, solution };
};

/** By a Cholesky factor for each mu, starting from a state that was solved before where there is one close by. */
export async function systemsOf({ kernel, memory, context, update }: DualProblem): Promise<DualSystems<DualSystem>> {
  const { codes, width, numExamples: n } = memory;
  const { parameters } = kernel;
  const { carry } = context;
  const method = 'cholesky';
  const numKept = DualBase.numKept(memory);
  if (!carry || !update || parameters === undefined || numKept === 0) {
    const base = new DualBase(memory, await kernel.between(codes, n, codes, n), 0);
    return { method, at: (mu) => base.systemAt(mu, kernel, context) };
  }
  const carried = carry.take<DualBase>('dual', parameters, codes, width);
  // It saves time alone: where its script cannot be loaded (a page without a network), the state is solved from nothing.
  const updateFrom = carried && (await update().catch(() => undefined));
  const updated = carried && (await updateFrom?.(carried.value, memory, carried.sources, kernel, context));
  if (updated) return { method, at: updated };
  const base = new DualBase(memory, await kernel.between(codes, n, codes, n), numKept);
  return {
    method,
    at: (mu) => base.systemAt(mu, kernel, context),
    keep: (tried) => {
      base.release();
      // Fewer than the next search asks for, one after the other, would all be factored again.
      if (tried > numKept) return;
      carry.put('dual', parameters, codes, base);
    },
  };
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
