/**
 * Generalised cross-validation from sums alone. Golub, Heath, Wahba (Technometrics 1979):
 * `GCV = (RSS / n) / (1 - df / n)^2`, with `df = tr((G + lambda I)^-1 G)` and
 * `RSS = tr(Y^T Y) - 2 tr(B^T C) + tr(B^T G B)`.
 * Both traces of large problems are estimated with random signs (Hutchinson, Communications in Statistics 1989): a factor and
 * 128 right-hand sides a lambda, instead of an inverse and one for every class. The signs are the same for every lambda, so
 * that their noise (about 0.6 % at 2,048 features and 1,000 classes) hardly moves the lowest point. The eigenvalues of
 * `lambda (G + lambda I)^-1` lie between 0 and 1, so the standard deviation of df is at most `sqrt(2 M / 64)`: 18 of 10,000.
 */

import type { FitContext } from '../head.ts';
import { PROBES, randomSigns } from './class-sides.ts';
import type { RidgeMoments } from './primal-ridge.ts';
import type { RidgeSystem, RidgeSystems } from './ridge-systems.ts';

/** Up to this order the inverse's diagonal costs less than it is worth estimating. */
const MAX_EXACT_ORDER = 512;
const SEED = 1989;
/** Relative residual of solutions that only compare values of lambda. */
const TOLERANCE = 1e-6;

/** The loss of an absolute lambda. Costs order^3 / 3 + 256 order^2 operations a call where a system has to be factored. */
export function crossValidation(
  moments: RidgeMoments,
  systems: RidgeSystems,
  context: FitContext,
): (lambda: number) => Promise<number> {
  const { order, numExamples, targetSquares, sides } = moments;
  const signs = order > MAX_EXACT_ORDER ? randomSigns(PROBES * order, SEED) : undefined;
  return async (lambda) => {
    const system = await systems(lambda);
    const solved = await system.solveSides(TOLERANCE);
    const inverseTrace = signs ? await estimatedTrace(system, signs) : await exactTrace(system, order);
    await context.yieldToHost?.();
    const freedom = order - lambda * inverseTrace;
    // From (G + lambda I) B = C: tr(B^T G B) = tr(B^T C) - lambda |B|^2.
    let fitted = 0;
    let squares = 0;
    for (let i = 0; i < solved.length; i++) {
      fitted += solved[i] * sides.rows[i];
      squares += solved[i] * solved[i];
    }
    const residual = Math.max(0, targetSquares - sides.share * (fitted + lambda * squares));
    const left = 1 - freedom / numExamples;
    return left > 0 ? residual / numExamples / (left * left) : Infinity;
  };
}

/** `tr((G + lambda I)^-1)` from random signs. */
async function estimatedTrace(system: RidgeSystem, signs: Float64Array): Promise<number> {
  const solved = await system.solveFixed('signs', signs, PROBES, TOLERANCE);
  let sum = 0;
  for (let i = 0; i < solved.length; i++) sum += solved[i] * signs[i];
  return sum / PROBES;
}

async function exactTrace(system: RidgeSystem, order: number): Promise<number> {
  const identity = new Float64Array(order * order);
  for (let i = 0; i < order; i++) identity[i * order + i] = 1;
  return (await system.quadraticForms(identity, order)).reduce((sum, entry) => sum + entry, 0);
}
