/**
 * Generalised cross-validation from sums alone. Golub, Heath, Wahba (Technometrics 1979):
 * `GCV = (RSS / n) / (1 - df / n)^2`, with `df = tr((G + lambda I)^-1 G)` and
 * `RSS = tr(Y^T Y) - 2 tr(B^T C) + tr(B^T G B)`.
 * Its slope in lambda: with `A = G + lambda I`, `dRSS = 2 lambda tr(B^T A^-1 B)` and `ddf = lambda tr(A^-2) - tr(A^-1)`.
 * Both traces of large problems are estimated with random signs (Hutchinson, Communications in Statistics 1989): a factor and
 * 64 right-hand sides a lambda, instead of an inverse and one for every class. The signs are the same for every lambda, so
 * that their noise (about 0.9 % at 2,048 features and 1,000 classes) hardly moves the lowest point. The eigenvalues of
 * `lambda (G + lambda I)^-1` lie between 0 and 1, so the standard deviation of df is at most `sqrt(2 M / 32)`: 25 of 10,000.
 */

import type { FitContext } from '../head.ts';
import { PROBES, randomSigns } from './class-sides.ts';
import type { Expansion } from './lambda-search.ts';
import type { RidgeMoments } from './primal-ridge.ts';
import type { RidgeSystems } from './ridge-systems.ts';

/** Up to this order the inverse costs less than it is worth estimating. */
const MAX_EXACT_ORDER = 512;
const SEED = 1989;
/** Relative residual of solutions that only compare values of lambda, whose losses differ by a thousandth or more. */
const TOLERANCE = 2e-4;

/**
 * The logarithm of the loss of an absolute lambda, with its slope in log10 lambda. Costs order^3 / 3 operations where a system has to
 * be factored, and `5 count order^2` for the solves of sides and signs.
 */
export function crossValidation(
  { order, numExamples, targetSquares, sides }: RidgeMoments,
  systems: RidgeSystems,
  context: FitContext,
): (lambda: number) => Promise<Expansion> {
  const probes = order > MAX_EXACT_ORDER ? randomProbes(order) : identity(order);
  return async (lambda) => {
    const system = await systems(lambda);
    const solved = await system.solveSidesAndSigns(probes.rows, probes.count, TOLERANCE);
    await context.yieldToHost?.();
    // From (G + lambda I) B = C: tr(B^T G B) = tr(B^T C) - lambda |B|^2.
    const squares = dot(solved.sides, solved.sides);
    const residual = Math.max(0, targetSquares - sides.share * (dot(solved.sides, sides.rows) + lambda * squares));
    const forms = await system.quadraticForms(solved.sides, sides.count);
    const form = forms.reduce((sum, one) => sum + one, 0);
    const inverse = probes.share * dot(solved.signs, probes.rows);
    const inverseSquare = probes.share * dot(solved.signs, solved.signs);
    const left = 1 - (order - lambda * inverse) / numExamples;
    if (!(left > 0 && residual > 0)) return { value: left > 0 ? -Infinity : Infinity, slope: 0 };
    const value = Math.log(residual / numExamples) - 2 * Math.log(left);
    const residualSlope = (2 * lambda * sides.share * form) / residual;
    const leftSlope = (inverse - lambda * inverseSquare) / numExamples / left;
    return { value, slope: (residualSlope - 2 * leftSlope) * lambda * Math.LN10 };
  };
}

interface Probes {
  /** Float64Array, count x order. */
  readonly rows: Float64Array;
  readonly count: number;
  /** What a sum over the probes counts of a trace. */
  readonly share: number;
}

function randomProbes(order: number): Probes {
  return { rows: randomSigns(PROBES * order, SEED), count: PROBES, share: 1 / PROBES };
}

function identity(order: number): Probes {
  const rows = new Float64Array(order * order);
  for (let i = 0; i < order; i++) rows[i * order + i] = 1;
  return { rows, count: order, share: 1 };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
