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
import { factoredSystem, type FactoredSystem } from '../linalg/factored-system.ts';
import { seededBits } from '../projection/seeded-bits.ts';
import type { RidgeMoments } from './primal-ridge.ts';

/** Signs that stand for more classes, or more features, than these. */
const PROBES = 64;
/** Up to this order the inverse's diagonal costs less than it is worth estimating. */
const MAX_EXACT_ORDER = 512;
const SEED = 1989;
/** Relative residual of solutions that only compare values of lambda. */
const TOLERANCE = 1e-6;

/** The loss of a relative lambda; `unit` is what one of it is. Costs order^3 / 3 + 256 order^2 operations a call. */
export async function crossValidation(
  moments: RidgeMoments,
  unit: number,
  context: FitContext,
): Promise<(relative: number) => Promise<number>> {
  const { order, numExamples, gram, targetSquares } = moments;
  const classes = await classSides(moments, context);
  await context.yieldToHost?.();
  const signs = order > MAX_EXACT_ORDER ? randomSigns(order * PROBES) : undefined;
  // Signs at the size of the sums, so that one residual speaks of both.
  const size = Math.max(Number.MIN_VALUE, largest(classes.right));
  await context.yieldToHost?.();
  const both = signs && sideBySide(classes.right, classes.count, signs, PROBES, size);
  return async (relative) => {
    const lambda = relative * unit;
    const system = await factoredSystem(gram, order, lambda, context);
    let solved: Float64Array;
    let inverseTrace = 0;
    if (signs && both) {
      const count = classes.count + PROBES;
      const x = await system.solve(both, count, TOLERANCE);
      solved = columnsOf(x, count, 0, classes.count);
      const signed = columnsOf(x, count, classes.count, PROBES);
      for (let i = 0; i < signed.length; i++) inverseTrace += signed[i] * signs[i];
      inverseTrace /= PROBES * size;
    } else {
      solved = await system.solve(classes.right, classes.count);
      inverseTrace = await exactTrace(system, order);
    }
    await context.yieldToHost?.();
    const freedom = order - lambda * inverseTrace;
    // From (G + lambda I) B = C: tr(B^T G B) = tr(B^T C) - lambda |B|^2.
    let fitted = 0;
    let squares = 0;
    for (let i = 0; i < solved.length; i++) {
      fitted += solved[i] * classes.right[i];
      squares += solved[i] * solved[i];
    }
    const residual = Math.max(0, targetSquares - classes.share * (fitted + lambda * squares));
    const left = 1 - freedom / numExamples;
    return left > 0 ? residual / numExamples / (left * left) : Infinity;
  };
}

interface ClassSides {
  /** Float64Array, order x count. */
  readonly right: Float64Array;
  readonly count: number;
  /** What a sum over the sides counts of the sum over all classes. */
  readonly share: number;
}

async function classSides({ order, numClasses, cross }: RidgeMoments, context: FitContext): Promise<ClassSides> {
  if (numClasses <= PROBES) return { right: cross, count: numClasses, share: 1 };
  const shape = { m: order, n: PROBES, k: numClasses };
  const right = await context.gemm.f64(cross, randomSigns(numClasses * PROBES), shape);
  return { right, count: PROBES, share: 1 / PROBES };
}

/** `tr((G + lambda I)^-1)`. */
async function exactTrace(system: FactoredSystem, order: number): Promise<number> {
  const identity = new Float64Array(order * order);
  for (let i = 0; i < order; i++) identity[i * order + i] = 1;
  return (await system.quadraticForms(identity, order)).reduce((sum, entry) => sum + entry, 0);
}

function largest(values: Float64Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/** Rows of a, each followed by the row of b times `size`. */
function sideBySide(a: Float64Array, widthA: number, b: Float64Array, widthB: number, size: number): Float64Array {
  const width = widthA + widthB;
  const out = new Float64Array((a.length / widthA) * width);
  for (let i = 0; i < out.length / width; i++) {
    for (let j = 0; j < widthA; j++) out[i * width + j] = a[i * widthA + j];
    for (let j = 0; j < widthB; j++) out[i * width + widthA + j] = b[i * widthB + j] * size;
  }
  return out;
}

/** Columns `[first, first + count)` of a row-major matrix. */
function columnsOf(values: Float64Array, width: number, first: number, count: number): Float64Array {
  const out = new Float64Array((values.length / width) * count);
  for (let i = 0; i < out.length / count; i++) {
    out.set(values.subarray(i * width + first, i * width + first + count), i * count);
  }
  return out;
}

/** Float64Array of +1 and -1, the same every time. */
function randomSigns(count: number): Float64Array {
  const next = seededBits(SEED);
  return Float64Array.from({ length: count }, () => (next() < 0 ? -1 : 1));
}
