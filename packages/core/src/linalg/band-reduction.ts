/**
 * Reduces a symmetric matrix to a band by orthogonal transformations, `A = Q B Q^T`, nearly all of it in the Gemm.
 * Bischof, Lang, Sun, A framework for symmetric band reduction (ACM TOMS 26, 2000), the first of its stages: a band serves
 * shifted solves for every shift as well as eigenvalues would. Reflectors by blocks: Schreiber and Van Loan (1989).
 */

import type { FitContext } from '../head.ts';
import { householderPanel, type BlockReflector } from './householder-panel.ts';
import { subtractProduct } from './subtract-product.ts';
import { transpose } from './transpose.ts';

/** Block tridiagonal: block k holds rows and columns `[band k, band (k + 1))`. */
export interface BandReduction {
  readonly order: number;
  /** Width of a block, the last one's may be less. */
  readonly band: number;
  /** Blocks on the diagonal, each width x width, row-major. */
  readonly diagonal: readonly Float64Array[];
  /** Blocks below it: block k couples rows of block k + 1 to columns of block k. */
  readonly below: readonly Float64Array[];
  /** Float64Array, order x order, row-major: Q. */
  readonly rotation: Float64Array;
}

/** Reflectors that are applied to Q at once: products of a small inner dimension wait for memory. */
const GROUP_COLUMNS = 128;
/** The working square moves together when this share of its rows is left. */
const REPACK_SHARE = 0.9;
/** Rows that one product sums over: engines cut products by rows and columns only, and copy columns. */
const SUMMED_ROWS = 1024;

/**
 * In `4 order^3` operations.
 * @param matrix Float64Array, order x order, row-major, symmetric; not changed
 * @param band width of the band, from 1
 */
export async function reduceToBand(
  matrix: Float64Array,
  order: number,
  context: FitContext,
  band: number,
): Promise<BandReduction> {
  const diagonal: Float64Array[] = [];
  const below: Float64Array[] = [];
  const rotation = new Float64Array(order * order);
  for (let i = 0; i < order; i++) rotation[i * order + i] = 1;
  let group: BlockReflector[] = [];
  // The trailing part of the matrix is the last rows and columns of a square of `side`.
  let square = matrix.slice();
  let side = order;
  for (let start = 0; start < order; start += band) {
    context.signal?.throwIfAborted();
    const width = Math.min(band, order - start);
    const rest = order - start - width;
    const first = side - rest - width;
    diagonal.push(block(square, side, first, width, first, width));
    if (rest === 0) break;
    if (rest <= band) {
      below.push(block(square, side, first + width, rest, first, width));
      continue;
    }
    // By symmetry the panel's columns stand right of the diagonal block as rows.
    const columns = block(square, side, first, width, first + width, rest);
    const reflector = await householderPanel(columns, width, rest, context);
    below.push(reflector.triangle);
    if (rest < REPACK_SHARE * side) {
      for (let i = 0; i < rest; i++) {
        const from = (side - rest + i) * side + side - rest;
        square.copyWithin(i * rest, from, from + rest);
      }
      square = square.subarray(0, rest * rest);
      side = rest;
    }
    await reflectBothSides(square, side, reflector, context);
    group.push(reflector);
    if (group.length * band >= GROUP_COLUMNS || rest - band <= band) {
      await reflectRows(rotation, order, group, context);
      group = [];
    }
    await context.yieldToHost?.();
  }
  return { order, band, diagonal, below, rotation: transpose(rotation, order, order) };
}

/** Rows `[row, row + rows)` and columns `[column, column + columns)`, packed. */
function block(
  square: Float64Array,
  side: number,
  row: number,
  rows: number,
  column: number,
  columns: number,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const from = (row + i) * side + column;
    out.set(square.subarray(from, from + columns), i * columns);
  }
  return out;
}

/** Vectors of `height` as the last entries of vectors of `side`, zeros before them. */
function padded(vectors: Float64Array, count: number, height: number, side: number): Float64Array {
  if (height === side) return vectors;
  const out = new Float64Array(count * side);
  for (let i = 0; i < count; i++) out.set(vectors.subarray(i * height, (i + 1) * height), (i + 1) * side - height);
  return out;
}

/** `-V^T M`, count x width, by slices of rows. @param tall V, height x count @param rows M, height x width */
async function minusProjected(
  tall: Float64Array,
  count: number,
  rows: Float64Array,
  width: number,
  context: FitContext,
): Promise<Float64Array> {
  const height = tall.length / count;
  const out = new Float64Array(count * width);
  for (let first = 0; first < height; first += SUMMED_ROWS) {
    const k = Math.min(SUMMED_ROWS, height - first);
    const left = tall.subarray(first * count, (first + k) * count);
    const right = rows.subarray(first * width, (first + k) * width);
    await subtractProduct(out, left, right, { m: count, n: width, k, transposeA: true }, context);
  }
  return out;
}

/** `S <- H^T S H` with `H = I - V T V^T`: `S - V X^T - X V^T`, where `W = S V T` and `X = W - V T^T (V^T W) / 2`. */
async function reflectBothSides(
  square: Float64Array,
  side: number,
  { vectors, factor, height, count }: BlockReflector,
  context: FitContext,
): Promise<void> {
  const { gemm } = context;
  const v = padded(vectors, count, height, side);
  const projected = await minusProjected(transpose(v, count, side), count, square, side, context);
  // -W^T, which becomes -X^T.
  const x = await gemm.f64(factor, projected, { m: count, n: side, k: count, transposeA: true });
  const inner = await gemm.f64(x, v, { m: count, n: count, k: side, transposeB: true });
  const half = await gemm.f64(inner, factor, { m: count, n: count, k: count });
  for (let i = 0; i < half.length; i++) half[i] /= 2;
  await subtractProduct(x, half, v, { m: count, n: side, k: count }, context);
  // S + V (-X^T) + (-X) V^T as one product.
  const right = new Float64Array(2 * count * side);
  right.set(x);
  right.set(v, count * side);
  const left = new Float64Array(2 * count * side);
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < count; j++) {
      left[2 * count * i + j] = -v[j * side + i];
      left[2 * count * i + count + j] = -x[j * side + i];
    }
  }
  await subtractProduct(square, left, right, { m: side, n: side, k: 2 * count }, context);
}

/** `M <- (H_1 H_2 ...)^T M` on the last rows of M, all reflectors of a group as one. */
async function reflectRows(
  matrix: Float64Array,
  order: number,
  group: readonly BlockReflector[],
  context: FitContext,
): Promise<void> {
  const { vectors, factor, height, count } = await joined(group, context);
  const rows = matrix.subarray((order - height) * order);
  const tall = transpose(vectors, count, height);
  const projected = await minusProjected(tall, count, rows, order, context);
  const turned = await context.gemm.f64(factor, projected, { m: count, n: order, k: count, transposeA: true });
  for (let i = 0; i < tall.length; i++) tall[i] = -tall[i];
  await subtractProduct(rows, tall, turned, { m: height, n: order, k: count }, context);
}

/** `(I - V1 T1 V1^T)(I - V2 T2 V2^T) = I - [V1 V2] T [V1 V2]^T`, with `T12 = -T1 V1^T V2 T2`. */
async function joined(
  group: readonly BlockReflector[],
  { gemm }: FitContext,
): Promise<Omit<BlockReflector, 'triangle'>> {
  const { height } = group[0];
  const count = group.reduce((sum, one) => sum + one.count, 0);
  const vectors = new Float64Array(count * height);
  const factor = new Float64Array(count * count);
  let done = 0;
  for (const one of group) {
    const own = padded(one.vectors, one.count, one.height, height);
    vectors.set(own, done * height);
    for (let i = 0; i < one.count; i++) {
      factor.set(one.factor.subarray(i * one.count, (i + 1) * one.count), (done + i) * count + done);
    }
    if (done > 0) {
      const before = block(factor, count, 0, done, 0, done);
      const shape = { m: done, n: one.count, k: height, transposeB: true };
      const across = await gemm.f64(vectors.subarray(0, done * height), own, shape);
      const turned = await gemm.f64(before, across, { m: done, n: one.count, k: done });
      const corner = await gemm.f64(turned, one.factor, { m: done, n: one.count, k: one.count });
      for (let i = 0; i < done; i++) {
        for (let j = 0; j < one.count; j++) factor[i * count + done + j] = -corner[i * one.count + j];
      }
    }
    done += one.count;
  }
  return { vectors, factor, height, count };
}
