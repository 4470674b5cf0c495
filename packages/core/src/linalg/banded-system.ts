/** Solves `(A + ridge I) X = R` for any number of ridges, with the diagonal of each inverse, from one reduction to a band. */

import { ImprintError } from '../errors.ts';
import type { FitContext } from '../head.ts';
import type { BandReduction } from './band-reduction.ts';
import { subtractProduct } from './subtract-product.ts';

/** Rows of `L^-1 Q^T` in one product: an inner dimension that does not wait for memory. */
const GROUP_ROWS = 128;

export interface ShiftedSolution {
  /** Float64Array, order x count: `(A + ridge I)^-1 R`. */
  readonly solved: Float64Array;
  /** Float64Array, order: diagonal of `(A + ridge I)^-1`. */
  readonly inverseDiagonal: Float64Array;
}

/** L of the band by its blocks: minus the inverse of each diagonal block, and the inverse times the block to its left. */
interface BandFactor {
  readonly minusInverses: readonly Float64Array[];
  readonly steps: readonly (Float64Array | undefined)[];
}

/**
 * With `B + ridge I = L L^T` and `Z = L^-1 Q^T`: `X = Z^T L^-1 Q^T R`, and the inverse's diagonal is the column norms of Z.
 * @param right Float64Array, order x count, row-major; not changed
 * @returns a function of the ridge, in `order^2 (4 band + 2 count)` operations a call, one call at a time
 */
export async function bandedSystem(
  reduction: BandReduction,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<(ridge: number) => Promise<ShiftedSolution>> {
  const { order, band, rotation, diagonal } = reduction;
  const rotated = await context.gemm.f64(rotation, right, { m: order, n: count, k: order });
  const blocks = Math.max(1, Math.floor(GROUP_ROWS / band));
  // The blocks of a group, and after its first the last of the group before.
  const group = new Float64Array(Math.min(blocks, diagonal.length) * band * order);
  return async (ridge) => {
    const factor = factorBand(reduction, ridge);
    const half = await solveRotated(factor, rotated, count, reduction, context);
    const solved = new Float64Array(order * count);
    const inverseDiagonal = new Float64Array(order);
    let before = group.subarray(0, 0);
    for (let k = 0; k < diagonal.length; k++) {
      context.signal?.throwIfAborted();
      const [start, end] = [k * band, Math.min(order, (k + 1) * band)];
      const at = (k % blocks) * band * order;
      const columns = group.subarray(at, at + (end - start) * order);
      await solveBlockInto(columns, factor, k, rotation.subarray(start * order, end * order), before, order, context);
      addSquares(columns, order, inverseDiagonal);
      before = columns;
      if ((k + 1) % blocks !== 0 && end < order) continue;
      const first = (k - (k % blocks)) * band;
      const shape = { m: order, n: count, k: end - first, transposeA: true };
      const rows = group.subarray(0, (end - first) * order);
      await subtractProduct(solved, rows, half.subarray(first * count, end * count), shape, context);
    }
    for (let i = 0; i < solved.length; i++) solved[i] = -solved[i];
    await context.yieldToHost?.();
    return { solved, inverseDiagonal };
  };
}

function addSquares(rows: Float64Array, width: number, out: Float64Array): void {
  for (let at = 0; at < rows.length;) {
    for (let j = 0; j < width; j++, at++) out[j] += rows[at] * rows[at];
  }
}

/** `L^-1 R`, order x count. */
async function solveRotated(
  factor: BandFactor,
  rotated: Float64Array,
  count: number,
  { order, band, diagonal }: BandReduction,
  context: FitContext,
): Promise<Float64Array> {
  const out = new Float64Array(order * count);
  let before = out.subarray(0, 0);
  for (const k of diagonal.keys()) {
    const [start, end] = [k * band * count, Math.min(order, (k + 1) * band) * count];
    const own = out.subarray(start, end);
    await solveBlockInto(own, factor, k, rotated.subarray(start, end), before, count, context);
    before = own;
  }
  return out;
}

/** Block k of `Z = L^-1 R` from the block before it: `L_kk^-1 R_k - L_kk^-1 L_k,k-1 Z_k-1`. */
async function solveBlockInto(
  out: Float64Array,
  { minusInverses, steps }: BandFactor,
  k: number,
  right: Float64Array,
  before: Float64Array,
  count: number,
  context: FitContext,
): Promise<void> {
  const width = out.length / count;
  out.fill(0);
  await subtractProduct(out, minusInverses[k], right, { m: width, n: count, k: width }, context);
  const step = steps[k];
  if (step) await subtractProduct(out, step, before, { m: width, n: count, k: step.length / width }, context);
}

/** Block Cholesky of `B + ridge I`, in some `3 order band^2` operations. @throws NOT_POSITIVE_DEFINITE naming the pivot */
function factorBand({ order, band, diagonal, below }: BandReduction, ridge: number): BandFactor {
  const minusInverses: Float64Array[] = [];
  const steps: (Float64Array | undefined)[] = [];
  let across: Float64Array | undefined;
  for (const [k, block] of diagonal.entries()) {
    const width = Math.min(band, order - k * band);
    const own = block.slice();
    for (let i = 0; i < width; i++) own[i * width + i] += ridge;
    if (across) subtractSquare(own, across, width);
    const inverse = invertedFactor(own, width, k * band, order);
    minusInverses.push(inverse.map((x) => -x));
    steps.push(across && lowerProduct(inverse, across, width));
    // The block below, against this one's factor: R L^-T.
    across = k < below.length ? timesTransposed(below[k], inverse, width) : undefined;
  }
  return { minusInverses, steps };
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

/** `L^-1 C`, width x inner. */
function lowerProduct(inverse: Float64Array, c: Float64Array, width: number): Float64Array {
  const inner = c.length / width;
  const out = new Float64Array(c.length);
  for (let i = 0; i < width; i++) {
    for (let p = 0; p <= i; p++) {
      const weight = inverse[i * width + p];
      for (let j = 0; j < inner; j++) out[i * inner + j] += weight * c[p * inner + j];
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

/** Factors the lower triangle of `square` in place and returns the factor's inverse. */
function invertedFactor(square: Float64Array, width: number, start: number, order: number): Float64Array {
  const inverse = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    const row = i * width;
    for (let j = 0; j <= i; j++) {
      let sum = square[row + j];
      for (let p = 0; p < j; p++) sum -= square[row + p] * square[j * width + p];
      if (j < i) square[row + j] = sum / square[j * width + j];
      else if (sum > 0 && sum < Infinity) square[row + i] = Math.sqrt(sum);
      else {
        throw new ImprintError(
          'NOT_POSITIVE_DEFINITE',
          `Expected a positive definite matrix of order ${order}, got pivot ${start + i} = ${sum}. Use more shrinkage, or a larger lambda.`,
        );
      }
    }
    const scale = 1 / square[row + i];
    for (let p = 0; p < i; p++) {
      const weight = square[row + p];
      for (let j = 0; j <= p; j++) inverse[row + j] -= weight * inverse[p * width + j];
    }
    for (let j = 0; j < i; j++) inverse[row + j] *= scale;
    inverse[row + i] = scale;
  }
  return inverse;
}
