/**
 * Generalised cross-validation from sums alone. Golub, Heath, Wahba (Technometrics 1979):
 * `GCV = (RSS / n) / (1 - df / n)^2`, with `df = tr((G + lambda I)^-1 G)` and
 * `RSS = tr(Y^T Y) - 2 tr(B^T C) + tr(B^T G B)`.
 * Slope and curvature in lambda take two more solves: with `A = G + lambda I`, `dRSS = 2 lambda tr(B^T A^-1 B)`,
 * `d tr(B^T A^-1 B) = -3 |A^-1 B|^2`, `ddf = lambda tr(A^-2) - tr(A^-1)` and `d tr(A^-k) = -k tr(A^-k-1)`.
 * Both traces of large problems are estimated with random signs (Hutchinson, Communications in Statistics 1989): a factor and
 * 128 right-hand sides a lambda, instead of an inverse and one for every class. The signs are the same for every lambda, so
 * that their noise (about 0.6 % at 2,048 features and 1,000 classes) hardly moves the lowest point. The eigenvalues of
 * `lambda (G + lambda I)^-1` lie between 0 and 1, so the standard deviation of df is at most `sqrt(2 M / 64)`: 18 of 10,000.
 */

import type { FitContext } from '../head.ts';
import { PROBES, randomSigns } from './class-sides.ts';
import type { Expansion } from './lambda-search.ts';
import type { RidgeMoments } from './primal-ridge.ts';
import type { RidgeSystem, RidgeSystems, SolvedProbes } from './ridge-systems.ts';

/** Up to this order the inverse costs less than it is worth estimating. */
const MAX_EXACT_ORDER = 512;
const SEED = 1989;
/** Relative residual of solutions that only compare values of lambda, whose losses differ by a thousandth or more. */
const TOLERANCE = 2e-4;

/**
 * The logarithm of the loss of an absolute lambda, with its slope and curvature in log10 lambda. Costs order^3 / 3 operations where a
 * system has to be factored, and `4 count order^2` for every time that sides and signs are solved: twice for the curvature.
 */
export function crossValidation(
  { order, numExamples, targetSquares, sides }: RidgeMoments,
  systems: RidgeSystems,
  context: FitContext,
): (lambda: number, withCurvature: boolean) => Promise<Expansion> {
  const probes = order > MAX_EXACT_ORDER ? randomProbes(order) : identity(order);
  return async (lambda, withCurvature) => {
    const system = await systems(lambda);
    const first = await system.solveSidesAndSigns(probes.rows, probes.count, TOLERANCE);
    await context.yieldToHost?.();
    const second = withCurvature ? await solveAgain(system, first, sides.count, probes.count) : undefined;
    await context.yieldToHost?.();
    // From (G + lambda I) B = C: tr(B^T G B) = tr(B^T C) - lambda |B|^2.
    const squares = dot(first.sides, first.sides);
    const residual = Math.max(0, targetSquares - sides.share * (dot(first.sides, sides.rows) + lambda * squares));
    const form = second
      ? dot(second.sides, first.sides)
      : (await system.quadraticForms(first.sides, sides.count)).reduce((sum, one) => sum + one, 0);
    const inverse = probes.share * dot(first.signs, probes.rows);
    const inverseSquare = probes.share * dot(first.signs, first.signs);
    const left = 1 - (order - lambda * inverse) / numExamples;
    if (!(left > 0 && residual > 0)) return { value: left > 0 ? -Infinity : Infinity, slope: 0 };
    const value = Math.log(residual / numExamples) - 2 * Math.log(left);
    const residualSlope = (2 * lambda * sides.share * form) / residual;
    const leftSlope = (inverse - lambda * inverseSquare) / numExamples / left;
    const slope = residualSlope - 2 * leftSlope;
    const perDecade = lambda * Math.LN10;
    if (second === undefined) return { value, slope: slope * perDecade };
    const inverseCube = probes.share * dot(second.signs, first.signs);
    const residualCurve = (2 * sides.share * (form - 3 * lambda * dot(second.sides, second.sides))) / residual;
    const leftCurve = (2 * (lambda * inverseCube - inverseSquare)) / numExamples / left;
    const curvature = residualCurve - residualSlope ** 2 - 2 * (leftCurve - leftSlope ** 2);
    return { value, slope: slope * perDecade, curvature: (curvature * lambda + slope) * perDecade * Math.LN10 };
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

/** Solutions of solutions, without refinement: curvature says how far to go, not where to stay. */
async function solveAgain(
  system: RidgeSystem,
  { sides, signs }: SolvedProbes,
  numSides: number,
  numSigns: number,
): Promise<SolvedProbes> {
  return {
    sides: await system.solve(sides, numSides, Infinity),
    signs: await system.solve(signs, numSigns, Infinity),
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
