/** The exact Gram matrix of example codes: f32 products of at most 1,024 rows, added up in f64. */

import type { FitContext } from '../head.ts';

/** Rows of one product: 127^2 * 1024 < 2^24, so every partial sum is an integer that f32 holds exactly. */
const BLOCK_ROWS = 1024;

/**
 * `sum_i q_i q_i^T` over columns `[start, start + columns)` of the codes: the same integers whatever the order of the rows,
 * the Gemm or the device.
 * @param codes Int8Array, count x width, row-major
 * @returns Float64Array, columns x columns; the caller owns it
 */
export async function codeGram(
  codes: Int8Array,
  count: number,
  width: number,
  context: FitContext,
  start = 0,
  columns = width,
): Promise<Float64Array> {
  const gram = new Float64Array(columns * columns);
  for (let first = 0; first < count; first += BLOCK_ROWS) {
    context.signal?.throwIfAborted();
    const rows = Math.min(BLOCK_ROWS, count - first);
    const block = new Float32Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      const from = (first + i) * width + start;
      block.set(codes.subarray(from, from + columns), i * columns);
    }
    const product = await context.gemm.f32(block, block, { m: columns, n: columns, k: rows, transposeA: true });
    for (let i = 0; i < gram.length; i++) gram[i] += product[i];
    await context.yieldToHost?.();
  }
  return gram;
}
