/** Block Cholesky of a shifted band: `B + ridge I = L L^T`, with the inverses of L's diagonal blocks. */

import type { BlockBidiagonal } from '../gemm.ts';
import type { BandReduction } from './band-reduction.ts';
import { factorSmall, invertLower, notPositiveDefinite } from './small-cholesky.ts';
import { wasmGemm } from './wasm-gemm.ts';

/** In some `3 order band^2` operations. @throws NOT_POSITIVE_DEFINITE naming the pivot */
export async function factorBand(
  { order, band, diagonal, below }: BandReduction,
  ridge: number,
): Promise<BlockBidiagonal> {
  const inverses: Float64Array[] = [];
  const acrosses: Float64Array[] = [];
  let across: Float64Array = new Float64Array(0);
  for (const [k, block] of diagonal.entries()) {
    const width = Math.min(band, order - k * band);
    const next = below[k] ?? new Float64Array(0);
    // The rows of this panel that come below have nothing left of them: zeros in `before`.
    const panel = new Float64Array(block.length + next.length);
    panel.set(block);
    panel.set(next, block.length);
    for (let i = 0; i < width; i++) panel[i * width + i] += ridge;
    const before = new Float64Array((across.length / width) * (panel.length / width));
    before.set(across);
    const inverse = await factorPanel(panel, width, before, { start: k * band, order });
    inverses.push(inverse);
    acrosses.push(across);
    across = panel.subarray(width * width);
  }
  return { inverses, acrosses };
}

/** Factors `[S; R]` in place once `[C; 0] C^T` is subtracted. @returns the inverse of the diagonal block */
async function factorPanel(
  panel: Float64Array,
  width: number,
  before: Float64Array,
  place: { readonly start: number; readonly order: number },
): Promise<Float64Array> {
  const least = new Float64Array(width);
  const done = await wasmGemm.choleskyPanel64?.(panel, width, before.length > 0 ? [before] : [], least);
  if (done !== undefined) {
    if (done.failed >= 0) throw notPositiveDefinite(place, done.failed, done.pivot);
    return done.inverse;
  }
  const square = panel.subarray(0, width * width);
  subtractSquare(square, before, (before.length * width) / panel.length);
  factorSmall(square, width, least, place);
  const inverse = invertLower(square, width);
  panel.set(timesTransposed(panel.subarray(width * width), inverse, width), width * width);
  return inverse;
}

/** `S -= C C^T`, the lower triangle; C has at least as many rows, of `inner` numbers. */
function subtractSquare(square: Float64Array, c: Float64Array, inner: number): void {
  const width = Math.sqrt(square.length);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let p = 0; p < inner; p++) sum += c[i * inner + p] * c[j * inner + p];
      square[i * width + j] -= sum;
    }
  }
}

/** `R L^-T`, from `L^-1`, width x width. */
function timesTransposed(rows: Float64Array, inverse: Float64Array, width: number): Float64Array {
  const out = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at += width) {
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let p = 0; p <= j; p++) sum += rows[at + p] * inverse[j * width + p];
      out[at + j] = sum;
    }
  }
  return out;
}
