/** Solves `(A + ridge I) X = R` for any number of ridges, with the diagonal of each inverse, from one reduction to a band. */

import type { FitContext } from '../head.ts';
import type { BandReduction } from './band-reduction.ts';
import { factorSmall, invertLower } from './small-cholesky.ts';
import { subtractProduct } from './subtract-product.ts';
import { transpose } from './transpose.ts';
import { wasmGemm } from './wasm-gemm.ts';

export interface ShiftedSolution {
  /** Float64Array, order x count: `(A + ridge I)^-1 R`. */
  readonly solved: Float64Array;
  /** Float64Array, order: diagonal of `(A + ridge I)^-1`. */
  readonly inverseDiagonal: Float64Array;
}

/** L of the band by its blocks. */
interface BandFactor {
  /** `L_kk^-1`, width x width. */
  readonly inverses: readonly Float64Array[];
  /** `L_k,k-1`, width x width of the block before; empty for the first. */
  readonly acrosses: readonly Float64Array[];
  /** `[L_kk^-1 L_k,k-1, -L_kk^-1]`. */
  readonly lefts: readonly Float64Array[];
}

/** Right-hand sides whose blocks core multiplies itself. */
const MOST_OWN = 512;

/**
 * With `B + ridge I = L L^T` and `Z = L^-1 Q^T`: the inverse's diagonal is the squared column norms of Z, and
 * `X = Q L^-T L^-1 Q^T R`.
 * @param right Float64Array, order x count, row-major; not changed
 * @returns a function of the ridge, in `order^2 (4 band + 2 count)` operations a call, one call at a time
 */
export async function bandedSystem(
  reduction: BandReduction,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<(ridge: number) => Promise<ShiftedSolution>> {
  const { order, rotation } = reduction;
  const rotated = await context.gemm.f64(rotation, right, { m: order, n: count, k: order });
  const rows = new BlockRows(reduction, rotation, order);
  const sides = new BlockRows(reduction, rotated, count);
  const turn = transpose(rotation, order, order);
  // A block's few columns are done before an engine has woken its threads.
  const own = count <= MOST_OWN ? { ...context, gemm: wasmGemm } : context;
  return async (ridge) => {
    const factor = factorBand(reduction, ridge);
    const inverseDiagonal = new Float64Array(order);
    await rows.solveLower(factor, context, (block) => addSquares(block, order, inverseDiagonal));
    const half = new Float64Array(order * count);
    let at = 0;
    await sides.solveLower(factor, own, (block) => {
      half.set(block, at);
      at += block.length;
    });
    await solveUpper(factor, half, count, reduction, own);
    const solved = await context.gemm.f64(turn, half, { m: order, n: count, k: order });
    await context.yieldToHost?.();
    return { solved, inverseDiagonal };
  };
}

function addSquares(rows: Float64Array, width: number, out: Float64Array): void {
  for (let at = 0; at < rows.length;) {
    for (let j = 0; j < width; j++, at++) out[j] += rows[at] * rows[at];
  }
}

/**
 * The right-hand sides R of `L Z = R` by blocks, each after a slot for the block of Z before it: a block of Z is then one
 * product, `-[L_kk^-1 L_k,k-1, -L_kk^-1] [Z_k-1; R_k]`.
 */
class BlockRows {
  readonly #slots: readonly { readonly before: Float64Array; readonly stack: Float64Array }[];
  readonly #count: number;
  readonly #last: Float64Array;

  /** @param right Float64Array, order x count; copied */
  constructor({ order, band, diagonal }: BandReduction, right: Float64Array, count: number) {
    this.#count = count;
    this.#slots = diagonal.map((_, k) => {
      const own = right.subarray(k * band * count, Math.min(order, (k + 1) * band) * count);
      const skipped = k === 0 ? 0 : band * count;
      const stack = new Float64Array(skipped + own.length);
      stack.set(own, skipped);
      return { before: stack.subarray(0, skipped), stack };
    });
    this.#last = new Float64Array((order - (diagonal.length - 1) * band) * count);
  }

  /** @param take is handed each block of Z in turn, width x count; it may not keep it */
  async solveLower({ lefts }: BandFactor, context: FitContext, take: (block: Float64Array) => void): Promise<void> {
    const count = this.#count;
    for (const [k, { stack }] of this.#slots.entries()) {
      context.signal?.throwIfAborted();
      const out = this.#slots[k + 1]?.before ?? this.#last;
      out.fill(0);
      await subtractProduct(
        out,
        lefts[k],
        stack,
        { m: out.length / count, n: count, k: stack.length / count },
        context,
      );
      take(out);
    }
  }
}

/** `X = L^-T Z` in place, order x count. */
async function solveUpper(
  { inverses, acrosses }: BandFactor,
  x: Float64Array,
  count: number,
  { order, band }: BandReduction,
  context: FitContext,
): Promise<void> {
  let after = x.subarray(0, 0);
  for (let k = inverses.length - 1; k >= 0; k--) {
    const [start, end] = [k * band, Math.min(order, (k + 1) * band)];
    const own = x.subarray(start * count, end * count);
    const shape = { m: end - start, n: count, k: after.length / count, transposeA: true };
    if (shape.k > 0) await subtractProduct(own, acrosses[k + 1], after, shape, context);
    own.set(await context.gemm.f64(inverses[k], own, { ...shape, k: end - start }));
    after = own;
  }
}

/** Block Cholesky of `B + ridge I`, in some `3 order band^2` operations. @throws NOT_POSITIVE_DEFINITE naming the pivot */
function factorBand({ order, band, diagonal, below }: BandReduction, ridge: number): BandFactor {
  const inverses: Float64Array[] = [];
  const acrosses: Float64Array[] = [];
  const lefts: Float64Array[] = [];
  let across: Float64Array = new Float64Array(0);
  for (const [k, block] of diagonal.entries()) {
    const width = Math.min(band, order - k * band);
    const own = block.slice();
    for (let i = 0; i < width; i++) own[i * width + i] += ridge;
    subtractSquare(own, across, width);
    factorSmall(own, width, new Float64Array(width), { start: k * band, order });
    const inverse = invertLower(own, width, (length) => new Float64Array(length));
    inverses.push(inverse);
    acrosses.push(across);
    lefts.push(sideBySide(inverse, across, width));
    // The block below, against this one's factor: R L^-T.
    if (k < below.length) across = timesTransposed(below[k], inverse, width);
  }
  return { inverses, acrosses, lefts };
}

/** `S -= C C^T`, the lower triangle. */
function subtractSquare(square: Float64Array, c: Float64Array, width: number): void {
  const inner = c.length / width;
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let p = 0; p < inner; p++) sum += c[i * inner + p] * c[j * inner + p];
      square[i * width + j] -= sum;
    }
  }
}

/** `[L^-1 C, -L^-1]`. */
function sideBySide(inverse: Float64Array, c: Float64Array, width: number): Float64Array {
  const inner = c.length / width;
  const pitch = inner + width;
  const out = new Float64Array(width * pitch);
  for (let i = 0; i < width; i++) {
    for (let p = 0; p <= i; p++) {
      const weight = inverse[i * width + p];
      for (let j = 0; j < inner; j++) out[i * pitch + j] += weight * c[p * inner + j];
      out[i * pitch + inner + p] = -weight;
    }
  }
  return out;
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
