/** `C = op(A) op(B)` and `C -= op(A) op(B)`, in place where the engine can. */

import type { GemmShape } from '../gemm.ts';
import type { FitContext } from '../head.ts';

/** @param c m x n, row-major, of the same kind of floats as a and b; shares no memory with them */
export async function writeProduct<F extends Float64Array | Float32Array>(
  c: F,
  a: F,
  b: F,
  shape: GemmShape,
  { gemm }: Pick<FitContext, 'gemm'>,
): Promise<void> {
  const product =
    c instanceof Float64Array
      ? await gemm.f64(a as Float64Array, b as Float64Array, shape, c)
      : await gemm.f32(a as Float32Array, b as Float32Array, shape, c);
  if (product !== c) c.set(product);
}

/** As `writeProduct`, subtracting. */
export async function subtractProduct<F extends Float64Array | Float32Array>(
  c: F,
  a: F,
  b: F,
  shape: GemmShape,
  { gemm }: Pick<FitContext, 'gemm'>,
): Promise<void> {
  let update: Float64Array | Float32Array;
  if (c instanceof Float64Array) {
    if (gemm.subtract64) return gemm.subtract64(c, a as Float64Array, b as Float64Array, shape);
    update = await gemm.f64(a as Float64Array, b as Float64Array, shape);
  } else {
    if (gemm.subtract32) return gemm.subtract32(c, a as Float32Array, b as Float32Array, shape);
    update = await gemm.f32(a as Float32Array, b as Float32Array, shape);
  }
  for (let i = 0; i < update.length; i++) c[i] -= update[i];
}
