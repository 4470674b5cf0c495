/**
 * Cosines of first-tap codes, a block of rows against all of another set, through the Gemm: exact integers over square
 * roots.
 */

import type { FitContext } from '../head.ts';
import { cosine } from './dot-product.ts';

/** First taps of int8 codes as floats, with squared lengths: what block products read. */
export interface FirstTaps {
  readonly count: number;
  readonly dim: number;
  /** Float32Array, count x dim. */
  readonly values: Float32Array;
  /** Float64Array, count. */
  readonly squares: Float64Array;
}

/** @param codes Int8Array, count x width, of which each row's first `dim` entries are read */
export function firstTapsOf(codes: Int8Array, count: number, width: number, dim: number): FirstTaps {
  const values = new Float32Array(count * dim);
  const squares = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < dim; j++) {
      const code = codes[i * width + j];
      values[i * dim + j] = code;
      squares[i] += code * code;
    }
  }
  return { count, dim, values, squares };
}

/**
 * Float64Array, (end - start) x b.count: cosines of rows `start` to `end - 1` of `a` with every row of `b`; the caller
 * owns it.
 */
export async function firstTapCosines(
  a: FirstTaps,
  start: number,
  end: number,
  b: FirstTaps,
  { gemm, signal, yieldToHost }: FitContext,
): Promise<Float64Array> {
  signal?.throwIfAborted();
  const block = a.values.subarray(start * a.dim, end * a.dim);
  const shape = { m: end - start, n: b.count, k: a.dim, transposeB: true };
  const products = await gemm.f32(block, b.values, shape);
  const cosines = new Float64Array(products.length);
  for (let i = 0; i < end - start; i++) {
    for (let j = 0; j < b.count; j++) {
      cosines[i * b.count + j] = cosine(products[i * b.count + j], a.squares[start + i], b.squares[j]);
    }
  }
  await yieldToHost?.();
  return cosines;
}
