/** Blocked Cholesky factorisation `A = L L^T` on typed arrays: solves, and the diagonal of the inverse. */

import { ImprintError } from '../errors.ts';
import type { FitContext } from '../head.ts';

/** Columns of a panel. Panels are stored one by one, so that a range of their rows is a contiguous subarray. */
const BLOCK = 128;

/**
 * The factor of a symmetric positive definite matrix. Panel k holds columns `[128 k, 128 (k + 1))` of L from its diagonal
 * block down, row-major; `inverses[k]` is the inverse of that diagonal block.
 */
export interface CholeskyFactor {
  readonly order: number;
  readonly panels: readonly Float64Array[];
  readonly inverses: readonly Float64Array[];
}

/**
 * Factors `matrix` (order x order, row-major; only the lower triangle is read and nothing is written), left-looking:
 * each panel takes the products of those before it, then is solved against its own diagonal block. `ridge` is added to the
 * diagonal. Costs order^3 / 3 multiplications, nearly all in the Gemm.
 * @throws NOT_POSITIVE_DEFINITE naming the pivot
 */
export async function choleskyFactor(
  matrix: Float64Array,
  order: number,
  context: FitContext,
  ridge = 0,
): Promise<CholeskyFactor> {
  const panels: Float64Array[] = [];
  const inverses: Float64Array[] = [];
  for (let start = 0; start < order; start += BLOCK) {
    context.signal?.throwIfAborted();
    const width = Math.min(BLOCK, order - start);
    const height = order - start;
    const panel = new Float64Array(height * width);
    for (let i = 0; i < height; i++) {
      const row = (start + i) * order + start;
      const last = Math.min(i + 1, width);
      for (let j = 0; j < last; j++) panel[i * width + j] = matrix[row + j];
      if (i < width) panel[i * width + i] += ridge;
    }
    for (let k = 0; k < panels.length; k++) {
      const offset = (start - k * BLOCK) * BLOCK;
      const below = panels[k].subarray(offset);
      const diagonal = panels[k].subarray(offset, offset + width * BLOCK);
      const shape = { m: height, n: width, k: BLOCK, transposeB: true };
      const update = await context.gemm.f64(below, diagonal, shape);
      for (let i = 0; i < update.length; i++) panel[i] -= update[i];
    }
    factorDiagonal(panel, width, start, order, (i) => matrix[i * order + i] + ridge);
    const inverse = invertLower(panel, width);
    if (height > width) {
      const below = panel.subarray(width * width);
      const shape = { m: height - width, n: width, k: width, transposeB: true };
      below.set(await context.gemm.f64(below, inverse, shape));
    }
    panels.push(panel);
    inverses.push(inverse);
    await context.yieldToHost?.();
  }
  return { order, panels, inverses };
}

/** Factors the leading `width` x `width` block of `panel` in place and clears what lies above its diagonal. */
function factorDiagonal(
  panel: Float64Array,
  width: number,
  start: number,
  order: number,
  diagonal: (index: number) => number,
): void {
  for (let j = 0; j < width; j++) {
    const rowJ = j * width;
    let pivot = panel[rowJ + j];
    // A pivot that cancellation has eaten to a few units of rounding says as little as a negative one.
    const least = Math.abs(diagonal(start + j)) * order * Number.EPSILON;
    for (let p = 0; p < j; p++) pivot -= panel[rowJ + p] * panel[rowJ + p];
    if (!(pivot > least && pivot < Infinity)) {
      throw new ImprintError(
        'NOT_POSITIVE_DEFINITE',
        `Expected a positive definite matrix of order ${order}, got pivot ${start + j} = ${pivot}. Use more shrinkage, or a larger lambda.`,
      );
    }
    const root = Math.sqrt(pivot);
    panel[rowJ + j] = root;
    for (let i = j + 1; i < width; i++) {
      const rowI = i * width;
      let sum = panel[rowI + j];
      for (let p = 0; p < j; p++) sum -= panel[rowI + p] * panel[rowJ + p];
      panel[rowI + j] = sum / root;
      panel[rowJ + i] = 0;
    }
  }
}

/** The inverse of the lower triangle in the leading `width` x `width` block, `width` x `width`. */
function invertLower(lower: Float64Array, width: number): Float64Array {
  const inverse = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    const row = i * width;
    for (let p = 0; p < i; p++) {
      const factor = lower[row + p];
      const other = p * width;
      for (let j = 0; j <= p; j++) inverse[row + j] -= factor * inverse[other + j];
    }
    const scale = 1 / lower[row + i];
    for (let j = 0; j < i; j++) inverse[row + j] *= scale;
    inverse[row + i] = scale;
  }
  return inverse;
}

/**
 * Solves `L Z = B` for many right-hand sides.
 * @param right Float64Array, order x count, row-major; not changed
 * @returns Float64Array, order x count; the caller owns it
 */
export async function solveLower(
  factor: CholeskyFactor,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<Float64Array> {
  const solved = right.slice();
  await forward(factor, 0, solved, count, context);
  return solved;
}

/** Forward substitution from block `first` on; `solved` starts at that block's row. */
async function forward(
  factor: CholeskyFactor,
  first: number,
  solved: Float64Array,
  count: number,
  context: FitContext,
): Promise<void> {
  const { order, panels, inverses } = factor;
  for (let k = first; k < panels.length; k++) {
    const width = Math.min(BLOCK, order - k * BLOCK);
    const row = (k - first) * BLOCK;
    const block = solved.subarray(row * count, (row + width) * count);
    block.set(await context.gemm.f64(inverses[k], block, { m: width, n: count, k: width }));
    const height = order - k * BLOCK - width;
    if (height === 0) continue;
    const below = panels[k].subarray(width * width);
    const update = await context.gemm.f64(below, block, { m: height, n: count, k: width });
    const rest = solved.subarray((row + width) * count);
    for (let i = 0; i < update.length; i++) rest[i] -= update[i];
  }
  await context.yieldToHost?.();
}

/** Solves `L^T X = Z`; shapes as in `solveLower`. */
export async function solveUpper(
  factor: CholeskyFactor,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<Float64Array> {
  const { order, panels, inverses } = factor;
  const solved = right.slice();
  for (let k = panels.length - 1; k >= 0; k--) {
    const start = k * BLOCK;
    const width = Math.min(BLOCK, order - start);
    const block = solved.subarray(start * count, (start + width) * count);
    const height = order - start - width;
    if (height > 0) {
      const below = panels[k].subarray(width * width);
      const rest = solved.subarray((start + width) * count);
      const shape = { m: width, n: count, k: height, transposeA: true };
      const update = await context.gemm.f64(below, rest, shape);
      for (let i = 0; i < update.length; i++) block[i] -= update[i];
    }
    block.set(await context.gemm.f64(inverses[k], block, { m: width, n: count, k: width, transposeA: true }));
  }
  await context.yieldToHost?.();
  return solved;
}

/** Solves `A X = B` from the factor of A; shapes as in `solveLower`. */
export async function solveSymmetric(
  factor: CholeskyFactor,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<Float64Array> {
  return solveUpper(factor, await solveLower(factor, right, count, context), count, context);
}

/**
 * The diagonal of `A^-1`: column norms of `L^-1`, whose columns are solved a panel at a time from their own diagonal
 * block down, in order^3 / 3 multiplications.
 * @returns Float64Array, order; the caller owns it
 */
export async function inverseDiagonal(factor: CholeskyFactor, context: FitContext): Promise<Float64Array> {
  const { order, panels } = factor;
  const diagonal = new Float64Array(order);
  for (let k = 0; k < panels.length; k++) {
    context.signal?.throwIfAborted();
    const start = k * BLOCK;
    const width = Math.min(BLOCK, order - start);
    const columns = new Float64Array((order - start) * width);
    for (let j = 0; j < width; j++) columns[j * width + j] = 1;
    await forward(factor, k, columns, width, context);
    for (let at = 0; at < columns.length;) {
      for (let j = 0; j < width; j++, at++) diagonal[start + j] += columns[at] * columns[at];
    }
  }
  return diagonal;
}
