/**
 * Solutions to the accuracy of f64 from a factor in f32: each step solves for what the exact residual leaves.
 * Wilkinson (Rounding Errors in Algebraic Processes, 1963); Higham (Accuracy and Stability, chapter 12): converges while the
 * condition number stays below about 10^7, and gains its inverse times 10^7 a step.
 */

import { ImprintError } from '../errors.ts';
import type { FitContext } from '../head.ts';
import { type CholeskyFactor, type SymmetricPanels } from './cholesky.ts';
import { solveSymmetric } from './cholesky-solve.ts';
import { subtractProduct } from './products-in-place.ts';

/** Rows of a panel that one product sums over: engines cut products by rows and columns only. */
const SUMMED_ROWS = 4096;

/**
 * `right - (A + ridge I) X`.
 * @param matrix A, with whole diagonal blocks
 * @param right Float64Array, order x count, row-major; so is X
 * @returns Float64Array, order x count; the caller owns it
 */
export async function symmetricResidual(
  { order, block, panels }: SymmetricPanels,
  ridge: number,
  right: Float64Array,
  x: Float64Array,
  count: number,
  context: FitContext,
): Promise<Float64Array> {
  const left = new Float64Array(order * count);
  for (let i = 0; i < left.length; i++) left[i] = right[i] - ridge * x[i];
  await context.yieldToHost?.();
  for (const [k, panel] of panels.entries()) {
    context.signal?.throwIfAborted();
    const start = k * block;
    const width = Math.min(block, order - start);
    const own = x.subarray(start * count, (start + width) * count);
    await subtractProduct(left.subarray(start * count), panel, own, { m: order - start, n: count, k: width }, context);
    const across = left.subarray(start * count, (start + width) * count);
    for (let row = width; row < order - start; row += SUMMED_ROWS) {
      const rows = Math.min(SUMMED_ROWS, order - start - row);
      const below = panel.subarray(row * width, (row + rows) * width);
      const rest = x.subarray((start + row) * count, (start + row + rows) * count);
      await subtractProduct(across, below, rest, { m: width, n: count, k: rows, transposeA: true }, context);
    }
  }
  await context.yieldToHost?.();
  return left;
}

export interface RefineOptions {
  /** Steps end where `|residual| <= tolerance |right|` in the Frobenius norm. */
  readonly tolerance: number;
  /** Default 20. */
  readonly mostSteps?: number;
}

export interface RefinedSolution {
  /** Float64Array, order x count; the caller owns it. */
  readonly x: Float64Array;
  /** `|right - (A + ridge I) X| / |right|`, measured in f64 on the X that is returned. */
  readonly residual: number;
  readonly steps: number;
}

/**
 * Solves `(A + ridge I) X = right` from the f32 factor of `A + ridge I`.
 * @param right Float64Array, order x count, row-major; not changed
 * @throws NOT_POSITIVE_DEFINITE where the residual stops shrinking before the tolerance: the factor's precision is not enough
 */
export async function solveRefined(
  factor: CholeskyFactor<Float32Array>,
  matrix: SymmetricPanels,
  ridge: number,
  right: Float64Array,
  count: number,
  context: FitContext,
  { tolerance, mostSteps = 20 }: RefineOptions,
): Promise<RefinedSolution> {
  const scale = norm(right);
  const x = new Float64Array(right.length);
  if (scale === 0) return { x, residual: 0, steps: 0 };
  let left: Float64Array = right;
  let before = scale;
  for (let steps = 1; ; steps++) {
    // Residuals shrink towards the smallest numbers of f32: they are solved at the size of one.
    const single = new Float32Array(left.length);
    for (let i = 0; i < left.length; i++) single[i] = left[i] / before;
    await context.yieldToHost?.();
    const correction = await solveSymmetric(factor, single, count, context);
    for (let i = 0; i < x.length; i++) x[i] += before * correction[i];
    await context.yieldToHost?.();
    left = await symmetricResidual(matrix, ridge, right, x, count, context);
    const now = norm(left);
    if (now <= tolerance * scale) return { x, residual: now / scale, steps };
    if (!(now < before / 2) || steps >= mostSteps) {
      throw new ImprintError(
        'NOT_POSITIVE_DEFINITE',
        `Expected a system that refinement from f32 solves to ${tolerance}, got a relative residual of ${now / scale} after ${steps} steps. Factor in f64, or use a larger lambda.`,
      );
    }
    before = now;
  }
}

function norm(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}
