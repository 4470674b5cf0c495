/** `C = op(A) op(B)` and `C -= op(A) op(B)`, in place where the engine can. */

import type { GemmShape } from '../gemm.ts';
import type { FitContext } from '../head.ts';
import type { Floats } from './small-cholesky.ts';

type Engine = Pick<FitContext, 'gemm'>;

/** The product in the precision of `a`, in `out` or elsewhere. */
function product(a: Floats, b: Floats, shape: GemmShape, { gemm }: Engine, out?: Floats): Promise<Floats> {
  return a instanceof Float64Array
    ? gemm.f64(a, b as Float64Array, shape, out as Float64Array | undefined)
    : gemm.f32(a, b as Float32Array, shape, out as Float32Array | undefined);
}

/** @param c m x n, row-major, of the same kind of floats as a and b; shares no memory with them */
export async function writeProduct<F extends Floats>(
  c: F,
  a: F,
  b: F,
  shape: GemmShape,
  engine: Engine,
): Promise<void> {
  const found = await product(a, b, shape, engine, c);
  if (found !== c) c.set(found);
}

/** As `writeProduct`, subtracting. */
export async function subtractProduct<F extends Floats>(
  c: F,
  a: F,
  b: F,
  shape: GemmShape,
  engine: Engine,
): Promise<void> {
  const { gemm } = engine;
  if (c instanceof Float64Array) {
    if (gemm.subtract64) return gemm.subtract64(c, a as Float64Array, b as Float64Array, shape);
  } else if (gemm.subtract32) {
    return gemm.subtract32(c, a as Float32Array, b as Float32Array, shape);
  }
  const update = await product(a, b, shape, engine);
  for (let i = 0; i < update.length; i++) c[i] -= update[i];
}
