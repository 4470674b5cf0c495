/** Rows solved against a block bidiagonal triangle, by blocks of columns: by the engine as a whole, or block by block. */

import type { BlockBidiagonal } from '../gemm.ts';
import type { FitContext } from '../head.ts';
import { subtractProduct } from './products-in-place.ts';
import { wasmGemm } from './wasm-gemm.ts';

/** Rows that core solves itself where the engine does not at once. */
const MOST_OWN = 512;

/**
 * Squared lengths of the rows of `R L^-T`.
 * @param right a Float64Array for each block of L: rows x its width
 * @returns Float64Array, rows; the caller owns it
 */
export async function bidiagonalSquares(
  right: readonly Float64Array[],
  rows: number,
  factor: BlockBidiagonal,
  context: FitContext,
): Promise<Float64Array> {
  if (context.gemm.bidiagonalSquares64) return context.gemm.bidiagonalSquares64(right, rows, factor);
  const squares = new Float64Array(rows);
  await forward(right, rows, factor, context, (block) => addRowSquares(block, squares));
  return squares;
}

/**
 * `R (L L^T)^-1`.
 * @param right a Float64Array for each block of L: rows x its width
 * @returns Float64Array, rows x order, row-major; the caller owns it
 */
export async function bidiagonalSolve(
  right: readonly Float64Array[],
  rows: number,
  factor: BlockBidiagonal,
  context: FitContext,
): Promise<Float64Array> {
  const done = await context.gemm.bidiagonalSolve64?.(right, rows, factor);
  if (done) return done;
  // Products of few rows are done before an engine has started.
  const own = rows <= MOST_OWN ? { ...context, gemm: wasmGemm } : context;
  const { inverses, acrosses } = factor;
  const halves: Float64Array[] = [];
  await forward(right, rows, factor, own, (block) => halves.push(block));
  await context.yieldToHost?.();
  const order = halves.reduce((sum, { length }) => sum + length, 0) / rows;
  const out = new Float64Array(rows * order);
  let after: Float64Array | undefined;
  let start = order;
  for (let k = halves.length - 1; k >= 0; k--) {
    const block = halves[k];
    const shape = { m: rows, n: block.length / rows, k: (after?.length ?? 0) / rows };
    if (after) await subtractProduct(block, after, acrosses[k + 1], shape, own);
    after = await own.gemm.f64(block, inverses[k], { ...shape, k: shape.n });
    start -= shape.n;
    for (let i = 0; i < rows; i++) out.set(after.subarray(i * shape.n, (i + 1) * shape.n), i * order + start);
  }
  return out;
}

/** `Z = R L^-T`. @param take is handed each block of Z in turn, rows x its width */
async function forward(
  right: readonly Float64Array[],
  rows: number,
  { inverses, acrosses }: BlockBidiagonal,
  context: FitContext,
  take: (block: Float64Array) => void,
): Promise<void> {
  let before: Float64Array | undefined;
  for (const [k, values] of right.entries()) {
    context.signal?.throwIfAborted();
    const shape = { m: rows, n: values.length / rows, k: (before?.length ?? 0) / rows, transposeB: true };
    let own = values;
    if (before) {
      own = values.slice();
      await subtractProduct(own, before, acrosses[k], shape, context);
    }
    before = await context.gemm.f64(own, inverses[k], { ...shape, k: shape.n });
    take(before);
  }
}

function addRowSquares(block: Float64Array, squares: Float64Array): void {
  const width = block.length / squares.length;
  for (let i = 0, at = 0; i < squares.length; i++) {
    let sum = 0;
    for (let j = 0; j < width; j++, at++) sum += block[at] * block[at];
    squares[i] += sum;
  }
}
