/**
 * Generalised cross-validation from sums alone. Golub, Heath, Wahba (Technometrics 1979):
 * `GCV = (RSS / n) / (1 - df / n)^2`, with `df = tr((G + lambda I)^-1 G)` and
 * `RSS = tr(Y^T Y) - 2 tr(B^T C) + tr(B^T G B)`.
 * Its slope in lambda takes two more forms: with `A = G + lambda I`, `dRSS = 2 lambda tr(B^T A^-1 B)` and
 * `ddf = lambda tr(A^-2) - tr(A^-1)`.
 * Both traces of large problems are estimated with random signs (Hutchinson, Communications in Statistics 1989): a factor and
 * 128 right-hand sides a lambda, instead of an inverse and one for every class. The signs are the same for every lambda, so
 * that their noise (about 0.6 % at 2,048 features and 1,000 classes) hardly moves the lowest point. The eigenvalues of
 * `lambda (G + lambda I)^-1` lie between 0 and 1, so the standard deviation of df is at most `sqrt(2 M / 64)`: 18 of 10,000.
 */

import type { FitContext } from '../head.ts';
import { PROBES, randomSigns } from './class-sides.ts';
import type { Expansion } from './lambda-search.ts';
import type { RidgeMoments } from './primal-ridge.ts';
import type { RidgeSystem, RidgeSystems } from './ridge-systems.ts';

/** Up to this order the inverse costs less than it is worth estimating. */
const MAX_EXACT_ORDER = 512;
const SEED = 1989;
/** Relative residual of solutions that only compare values of lambda: a step of the search moves the loss by a thousandth or more. */
const TOLERANCE = 1e-5;

/** The loss of an absolute lambda and its slope in log10 lambda. Costs order^3 / 3 + 320 order^2 operations where a system has to be factored. */
export function crossValidation(
  { order, numExamples, targetSquares, sides }: RidgeMoments,
  systems: RidgeSystems,
  context: FitContext,
): (lambda: number) => Promise<Expansion> {
  const signs = order > MAX_EXACT_ORDER ? randomSigns(PROBES * order, SEED) : undefined;
  return async (lambda) => {
    const system = await systems(lambda);
    const solved = signs
      ? await system.solveSidesAndSigns(signs, PROBES, TOLERANCE)
      : { sides: await system.solve(sides.rows, sides.count), signs: new Float64Array(0) };
    const traces = signs ? estimatedTraces(signs, solved.signs) : await exactTraces(system, order);
    await context.yieldToHost?.();
    // From (G + lambda I) B = C: tr(B^T G B) = tr(B^T C) - lambda |B|^2.
    let fitted = 0;
    let squares = 0;
    for (let i = 0; i < solved.sides.length; i++) {
      fitted += solved.sides[i] * sides.rows[i];
      squares += solved.sides[i] * solved.sides[i];
    }
    const forms = await system.quadraticForms(solved.sides, sides.count);
    const residual = Math.max(0, targetSquares - sides.share * (fitted + lambda * squares));
    const residualSlope = 2 * lambda * sides.share * sum(forms);
    const left = 1 - (order - lambda * traces.inverse) / numExamples;
    const leftSlope = (traces.inverse - lambda * traces.inverseSquare) / numExamples;
    if (!(left > 0)) return { value: Infinity, slope: 0 };
    const value = residual / numExamples / (left * left);
    const slope = residualSlope / numExamples / (left * left) - (2 * value * leftSlope) / left;
    return { value, slope: slope * lambda * Math.LN10 };
  };
}

interface Traces {
  /** `tr((G + lambda I)^-1)`. */
  readonly inverse: number;
  /** `tr((G + lambda I)^-2)`. */
  readonly inverseSquare: number;
}

function estimatedTraces(signs: Float64Array, solved: Float64Array): Traces {
  let inverse = 0;
  let inverseSquare = 0;
  for (let i = 0; i < solved.length; i++) {
    inverse += solved[i] * signs[i];
    inverseSquare += solved[i] * solved[i];
  }
  return { inverse: inverse / PROBES, inverseSquare: inverseSquare / PROBES };
}

async function exactTraces(system: RidgeSystem, order: number): Promise<Traces> {
  const identity = new Float64Array(order * order);
  for (let i = 0; i < order; i++) identity[i * order + i] = 1;
  const solved = await system.solve(identity, order);
  let inverse = 0;
  let inverseSquare = 0;
  for (let i = 0; i < order; i++) inverse += solved[i * order + i];
  for (let i = 0; i < solved.length; i++) inverseSquare += solved[i] * solved[i];
  return { inverse, inverseSquare };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
