/** Solves with a Cholesky factor, and the diagonal of the inverse. */

import type { GemmShape } from '../gemm.ts';
import type { FitContext } from '../head.ts';
import type { CholeskyFactor } from './cholesky.ts';
import { zerosLike, type Floats } from './small-cholesky.ts';
import { subtractProduct, writeProduct } from './products-in-place.ts';
import { wasmGemm } from './wasm-gemm.ts';

/** Multiplications that are done before an engine has woken its threads. */
const MOST_OWN = 2 ** 18;

/** `op(inverse) own` in the place of `own`, by core itself where it is small; `room` holds as much. */
async function solveBlock<F extends Floats>(
  inverse: F,
  own: F,
  shape: GemmShape,
  room: F,
  { gemm }: FitContext,
): Promise<void> {
  const solved = room.subarray(0, own.length) as F;
  const small = shape.m * shape.n * shape.k <= MOST_OWN;
  await writeProduct(solved, inverse, own, shape, { gemm: small ? wasmGemm : gemm });
  own.set(solved);
}

/**
 * Solves `L Z = B` for many right-hand sides.
 * @param right order x count, row-major, floats as in the factor; not changed
 * @returns order x count; the caller owns it
 */
export async function solveLower<F extends Floats>(
  factor: CholeskyFactor<F>,
  right: F,
  count: number,
  context: FitContext,
): Promise<F> {
  const solved = right.slice() as F;
  await forward(factor, 0, solved, count, context);
  return solved;
}

/** Forward substitution from block `first` on; `solved` starts at that block's row. */
export async function forward<F extends Floats>(
  { order, block, panels, inverses }: CholeskyFactor<F>,
  first: number,
  solved: F,
  count: number,
  context: FitContext,
): Promise<void> {
  const room = zerosLike(solved, Math.min(block, order - first * block) * count);
  for (let k = first; k < panels.length; k++) {
    context.signal?.throwIfAborted();
    const width = Math.min(block, order - k * block);
    const row = (k - first) * block;
    const own = solved.subarray(row * count, (row + width) * count) as F;
    await solveBlock(inverses[k], own, { m: width, n: count, k: width }, room, context);
    const height = order - k * block - width;
    if (height === 0) continue;
    const below = panels[k].subarray(width * width) as F;
    const rest = solved.subarray((row + width) * count) as F;
    await subtractProduct(rest, below, own, { m: height, n: count, k: width }, context);
  }
  await context.yieldToHost?.();
}

/** Rows of a panel that one product of `solveUpper` sums over: engines cut products by rows and columns only. */
const SUMMED_ROWS = 4096;

/** Solves `L^T X = Z`; shapes as in `solveLower`. */
export async function solveUpper<F extends Floats>(
  factor: CholeskyFactor<F>,
  right: F,
  count: number,
  context: FitContext,
): Promise<F> {
  const { order, block, panels, inverses } = factor;
  const solved = right.slice() as F;
  const room = zerosLike(solved, Math.min(block, order) * count);
  for (let k = panels.length - 1; k >= 0; k--) {
    context.signal?.throwIfAborted();
    const start = k * block;
    const width = Math.min(block, order - start);
    const own = solved.subarray(start * count, (start + width) * count) as F;
    for (let row = width; row < order - start; row += SUMMED_ROWS) {
      const rows = Math.min(SUMMED_ROWS, order - start - row);
      const below = panels[k].subarray(row * width, (row + rows) * width) as F;
      const rest = solved.subarray((start + row) * count, (start + row + rows) * count) as F;
      await subtractProduct(own, below, rest, { m: width, n: count, k: rows, transposeA: true }, context);
    }
    await solveBlock(inverses[k], own, { m: width, n: count, k: width, transposeA: true }, room, context);
  }
  await context.yieldToHost?.();
  return solved;
}

/** Solves `A X = B` from the factor of A; shapes as in `solveLower`. */
export async function solveSymmetric<F extends Floats>(
  factor: CholeskyFactor<F>,
  right: F,
  count: number,
  context: FitContext,
): Promise<F> {
  return solveUpper(factor, await solveLower(factor, right, count, context), count, context);
}

/**
 * Columns of `L^-1` below the diagonal block of panel k, one panel's: that block's own are `inverses[k]`.
 * @returns rows below x columns of the block, row-major; the caller owns it
 */
async function inverseBelow<F extends Floats>(factor: CholeskyFactor<F>, k: number, context: FitContext): Promise<F> {
  const { order, block, panels, inverses } = factor;
  const width = Math.min(block, order - k * block);
  const height = order - k * block - width;
  const columns = zerosLike(panels[k], height * width);
  if (height === 0) return columns;
  const below = panels[k].subarray(width * width) as F;
  await subtractProduct(columns, below, inverses[k], { m: height, n: width, k: width }, context);
  await forward(factor, k + 1, columns, width, context);
  return columns;
}

/**
 * `L^-1`, in order^3 / 3 multiplications.
 * @returns order x order, floats as in the factor, zero above the diagonal; the caller owns it
 */
export async function inverseLower<F extends Floats>(factor: CholeskyFactor<F>, context: FitContext): Promise<F> {
  const { order, block, panels, inverses } = factor;
  const inverse = zerosLike(panels[0], order * order);
  for (let k = 0; k < panels.length; k++) {
    const start = k * block;
    const width = Math.min(block, order - start);
    const below = await inverseBelow(factor, k, context);
    for (let i = 0; i < order - start; i++) {
      const [from, row] = i < width ? [inverses[k], i] : [below, i - width];
      inverse.set(from.subarray(row * width, (row + 1) * width), (start + i) * order + start);
    }
  }
  return inverse;
}

/**
 * The diagonal of `A^-1`: column norms of `L^-1`, in order^3 / 3 multiplications.
 * @returns Float64Array, order; the caller owns it
 */
export async function inverseDiagonal(factor: CholeskyFactor, context: FitContext): Promise<Float64Array> {
  const { order, block, panels, inverses } = factor;
  const diagonal = new Float64Array(order);
  for (let k = 0; k < panels.length; k++) {
    context.signal?.throwIfAborted();
    const start = k * block;
    const width = Math.min(block, order - start);
    for (const rows of [inverses[k], await inverseBelow(factor, k, context)]) {
      for (let at = 0; at < rows.length;) {
        for (let j = 0; j < width; j++, at++) diagonal[start + j] += rows[at] * rows[at];
      }
    }
  }
  return diagonal;
}
