/** A `Gemm` whose large products are shared with other threads, without memory in common: parts go there and come back. */

import type { GemmShape } from '../gemm.ts';
import { HelperLine, type Helper } from './helper-line.ts';
import { MIRROR_TILE, mirrorTile } from './mirror-lower.ts';
import { subtractProduct, writeProduct } from './products-in-place.ts';
import { sharedPanel } from './shared-cholesky-panel.ts';
import { pays, split, wholeGroups } from './shares.ts';
import type { Floats } from './small-cholesky.ts';
import type { PortableGemm } from './typed-array-gemm.ts';
import { sameValues } from './wasm-gemm.ts';

/**
 * `own`, helped. Every entry is summed as `own` sums it where the helpers have the same engine, so the bits are the same. What a
 * helper cannot do, or takes with it, is done here.
 */
export function shareGemm(own: PortableGemm, helpers: readonly Helper[]): PortableGemm {
  const lines = helpers.map((helper) => new HelperLine(helper));
  const crew = (): readonly HelperLine[] => lines.filter(({ gone }) => !gone);

  async function multiply<F extends Floats>(a: F, b: F, shape: GemmShape, out: F, subtract: boolean): Promise<void> {
    const compute = subtract ? subtractProduct : writeProduct;
    const helping = crew();
    const { m, n, k, transposeA = false, transposeB = false } = shape;
    const symmetric = !subtract && m === n && transposeA !== transposeB && sameValues(a, b);
    // Alone, a symmetric product costs half; helpers compute all columns of their rows.
    const h = helping.length;
    const mine = wholeGroups(symmetric ? m * (Math.sqrt(1 / h ** 2 + 2 / h) - 1 / h) : m / (h + 1));
    const theirs = m - mine;
    const saved = symmetric ? ((m * m - mine * mine) / 2) * k : theirs * n * k;
    if (h === 0 || !pays(saved, theirs * k + h * k * n + theirs * n * (subtract ? 2 : 1), h)) {
      return compute(out, a, b, shape, { gemm: own });
    }
    const shares = split(mine, m, helping).map(({ line, first, end }) => {
      const c = out.subarray(first * n, end * n) as F;
      const rows = { ...shape, m: end - first };
      const done = line.ask(c, subtract, [rowsOf(a, shape, first, end), b], (id, there, [left, right]) => {
        return { kind: 'product', id, a: left, b: right, c: there, shape: rows, subtract };
      });
      return { done, first, end, c, rows };
    });
    const top = rowsOf(a, shape, 0, mine);
    if (symmetric) {
      const square = out.slice(0, mine * mine) as F;
      await writeProduct(square, top, top, { ...shape, m: mine, n: mine }, { gemm: own });
      for (let i = 0; i < mine; i++) out.set(square.subarray(i * mine, (i + 1) * mine), i * n);
    } else {
      await compute(out.subarray(0, mine * n) as F, top, b, { ...shape, m: mine }, { gemm: own });
    }
    for (const { done, first, end, c, rows } of shares) {
      if (!(await done)) await compute(c, rowsOf(a, shape, first, end), b, rows, { gemm: own });
    }
    if (!symmetric) return;
    for (let i0 = mine; i0 < n; i0 += MIRROR_TILE) {
      for (let j0 = 0; j0 < mine; j0 += MIRROR_TILE) mirrorTile(out, n, i0, j0);
    }
  }

  return {
    get name() {
      return own.name;
    },
    async f32(a, b, shape, out = new Float32Array(shape.m * shape.n)) {
      await multiply(a, b, shape, out, false);
      return out;
    },
    async f64(a, b, shape, out = new Float64Array(shape.m * shape.n)) {
      await multiply(a, b, shape, out, false);
      return out;
    },
    subtract32: (c, a, b, shape) => multiply(a, b, shape, c, true),
    subtract64: (c, a, b, shape) => multiply(a, b, shape, c, true),
    choleskyPanel64: (...panel) => sharedPanel(own, crew(), ...panel),
    ...(own.choleskyRows64 && { choleskyRows64: own.choleskyRows64 }),
  };
}

/** Some rows of `op(A)`, as A is stored: part of it, or a copy. */
function rowsOf<F extends Floats>(a: F, { m, k, transposeA }: GemmShape, first: number, end: number): F {
  if (!transposeA) return a.subarray(first * k, end * k) as F;
  const count = end - first;
  const rows = a.slice(0, k * count) as F;
  for (let p = 0; p < k; p++) rows.set(a.subarray(p * m + first, p * m + end), p * count);
  return rows;
}
