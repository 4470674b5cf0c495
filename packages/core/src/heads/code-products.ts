/** Weighted inner products of code vectors: exact integers by group of taps, so the same bits however they are batched. */

import type { FitContext } from '../head.ts';
import { codeScan, SCAN_ROWS } from '../memory/code-scan.ts';
import type { TapGroup } from './tap-weights.ts';

/** Rows of the left side in one Gemm, so that the f32 product stays small beside the f64 result. */
const BLOCK_ROWS = 512;

/** Rows of the left side up to which scanning `b` row by row beats making floats of it for a Gemm. */
const SCANNED_ROWS = 64;
/** Multiplications between two turns of the host in that scan: a few milliseconds. */
const TURN_WORK = 2 ** 25;

/** Columns `[group.start, group.start + group.width)` of `count` rows as floats: count x group.width. */
function groupColumns(codes: Int8Array, first: number, count: number, width: number, group: TapGroup): Float32Array {
  const columns = new Float32Array(count * group.width);
  for (let i = 0; i < count; i++) {
    const from = (first + i) * width + group.start;
    columns.set(codes.subarray(from, from + group.width), i * group.width);
  }
  return columns;
}

/**
 * `<x_i, y_j> = sum_g weight_g * (integer product over group g)`, groups in ascending order.
 * @param a Int8Array, rowsA x width
 * @param b Int8Array, rowsB x width; must not change any more
 * @returns Float64Array, rowsA x rowsB, row-major; the caller owns it
 */
export async function codeProducts(
  a: Int8Array,
  rowsA: number,
  b: Int8Array,
  rowsB: number,
  width: number,
  groups: readonly TapGroup[],
  context: FitContext,
): Promise<Float64Array> {
  const out = new Float64Array(rowsA * rowsB);
  if (rowsA <= SCANNED_ROWS) {
    for (let i = 0; i < rowsA; i++) {
      context.signal?.throwIfAborted();
      codeProductsInto(a, i, b, rowsB, width, groups, out.subarray(i * rowsB, (i + 1) * rowsB));
      if ((i + 1) * rowsB * width > TURN_WORK) await context.yieldToHost?.();
    }
    return out;
  }
  await addProducts(a, rowsA, b, rowsB, width, groups, out, false, context);
  return out;
}

/**
 * `codeProducts` of rows with themselves in half the time: only what is on and below the diagonal is sure to be there; `mirrorLower` does the rest.
 * @returns Float64Array, rows x rows; the caller owns it
 */
export async function lowerCodeProducts(
  codes: Int8Array,
  rows: number,
  width: number,
  groups: readonly TapGroup[],
  context: FitContext,
): Promise<Float64Array> {
  const out = new Float64Array(rows * rows);
  await addProducts(codes, rows, codes, rows, width, groups, out, true, context);
  return out;
}

/** Adds products to `out`, rowsA x rowsB; where `isLower`, of a block of rows with those up to its last alone. */
async function addProducts(
  a: Int8Array,
  rowsA: number,
  b: Int8Array,
  rowsB: number,
  width: number,
  groups: readonly TapGroup[],
  out: Float64Array,
  isLower: boolean,
  context: FitContext,
): Promise<void> {
  const room = new Float32Array(Math.min(BLOCK_ROWS, rowsA) * rowsB);
  for (const group of groups) {
    const right = groupColumns(b, 0, rowsB, width, group);
    for (let first = 0; first < rowsA; first += BLOCK_ROWS) {
      context.signal?.throwIfAborted();
      const rows = Math.min(BLOCK_ROWS, rowsA - first);
      const columns = isLower ? first + rows : rowsB;
      const left = groupColumns(a, first, rows, width, group);
      const shape = { m: rows, n: columns, k: group.width, transposeB: true };
      const some = right.subarray(0, columns * group.width);
      const products = await context.gemm.f32(left, some, shape, room.subarray(0, rows * columns));
      for (let i = 0, at = 0; i < rows; i++) {
        const row = (first + i) * rowsB;
        for (let j = 0; j < columns; j++, at++) out[row + j] += group.weight * products[at];
      }
      await context.yieldToHost?.();
    }
  }
}

/** The same products of one row of `a` with all rows of `b`, bit for bit, into `out` (rowsB). `b` must not change any more. */
export function codeProductsInto(
  a: Int8Array,
  row: number,
  b: Int8Array,
  rowsB: number,
  width: number,
  groups: readonly TapGroup[],
  out: Float64Array,
): void {
  out.fill(0, 0, rowsB);
  const scan = codeScan(b, rowsB, width);
  const { products } = scan;
  for (const { start, width: columns, weight } of groups) {
    scan.setQuery(a, row * width + start, start, columns);
    for (let first = 0; first < rowsB; first += SCAN_ROWS) {
      const block = Math.min(SCAN_ROWS, rowsB - first);
      scan.scanRows(first, block);
      for (let j = 0; j < block; j++) out[first + j] += weight * products[j];
    }
  }
}

/** `<x_i, x_i>` of every row. Float64Array, rows; the caller owns it. */
export function codeSquares(codes: Int8Array, rows: number, width: number, groups: readonly TapGroup[]): Float64Array {
  const squares = new Float64Array(rows);
  for (const { start, width: columns, weight } of groups) {
    for (let i = 0; i < rows; i++) squares[i] += weight * squareOf(codes, i * width + start, columns);
  }
  return squares;
}

function squareOf(codes: Int8Array, from: number, count: number): number {
  let sum = 0;
  for (let p = from; p < from + count; p++) sum += codes[p] * codes[p];
  return sum;
}
