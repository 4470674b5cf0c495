/**
 * Weighted sums of bytes along rows, then along columns, two bytes to a 64-bit float.
 *
 * A pair (a, b) is the integer `a + b * 2^27`. Weights have 17 fractional bits and absolute values that sum to less than 2, so
 * a byte's sum stays below 255 * 2^18 < 2^26 and a pair's below 2^53: every sum is exact, in any order, in every engine, and
 * both halves come back whole. That halves the multiplications where there is no SIMD (`resample-simd.ts`). Kernels are small and allocate nothing:
 * V8 optimises them one by one (one large function ran four times slower, deoptimised over and over).
 */

import { WEIGHT_BITS, type ResampleWeights } from './resample-weights.ts';

const PAIR = 2 ** 27;
const UNPAIR = 2 ** -27;
const HALF = 1 << (WEIGHT_BITS - 1);
/** Makes an upper half positive before it is truncated, which then rounds to nearest. */
const BIAS = 2 ** 26;

/** `pairs[i] = bytes[a + i] + bytes[b + i] * 2^27` */
function pairInto(
  bytes: Uint8Array | Uint8ClampedArray,
  a: number,
  b: number,
  pairs: Float64Array,
  start: number,
  count: number,
) {
  for (let i = 0; i < count; i++) pairs[start + i] = bytes[a + i] + bytes[b + i] * PAIR;
}

/** Rounds `count` sums of pairs to bytes: lower halves to `out[a...]`, upper ones to `out[b...]`. */
function unpairInto(sums: Float64Array, out: Uint8ClampedArray, a: number, b: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const sum = sums[i];
    const upper = ((sum * UNPAIR + (BIAS + 0.5)) | 0) - BIAS;
    out[b + i] = (upper + HALF) >> WEIGHT_BITS;
    out[a + i] = (sum - upper * PAIR + HALF) >> WEIGHT_BITS;
  }
}

/** `sums[3 i + c] = sum over t of weights[i, t] * pairs[3 (starts[i] - left + t) + c]` */
function filterRowInto(pairs: Float64Array, left: number, plan: ResampleWeights, sums: Float64Array): void {
  const { starts, counts, weights, stride } = plan;
  const outputs = starts.length;
  for (let i = 0, o = 0; i < outputs; i++, o += 3) {
    let p = (starts[i] - left) * 3;
    const first = i * stride;
    const end = first + counts[i];
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let t = first; t < end; t++) {
      const weight = weights[t];
      red += pairs[p] * weight;
      green += pairs[p + 1] * weight;
      blue += pairs[p + 2] * weight;
      p += 3;
    }
    sums[o] = red;
    sums[o + 1] = green;
    sums[o + 2] = blue;
  }
}

/** `sums[x] += weight * pairs[start + x]` */
function addRow(pairs: Float64Array, start: number, weight: number, sums: Float64Array, length: number): void {
  for (let x = 0; x < length; x++) sums[x] += pairs[start + x] * weight;
}

/** Four rows at once: a fourth of the loads and stores of `sums`. */
function addFourRows(
  pairs: Float64Array,
  start: number,
  weights: Float64Array,
  at: number,
  sums: Float64Array,
  length: number,
): void {
  const w0 = weights[at];
  const w1 = weights[at + 1];
  const w2 = weights[at + 2];
  const w3 = weights[at + 3];
  const p1 = start + length;
  const p2 = p1 + length;
  const p3 = p2 + length;
  for (let x = 0; x < length; x++) {
    sums[x] += pairs[start + x] * w0 + pairs[p1 + x] * w1 + pairs[p2 + x] * w2 + pairs[p3 + x] * w3;
  }
}

/**
 * Resamples rows: `out[y, i] = sum over t of weights[i, t] * rgb[firstRow + y, starts[i] + t]`, rounded and clamped to a byte.
 * @param rgb Uint8Array, rows x width x 3
 * @param out Uint8ClampedArray, rowCount x outputs x 3
 */
export function resampleRowsInto(
  rgb: Uint8Array,
  width: number,
  firstRow: number,
  rowCount: number,
  plan: ResampleWeights,
  out: Uint8ClampedArray,
): void {
  const { starts, counts } = plan;
  const outputs = starts.length;
  const left = starts[0];
  const rowBytes = (starts[outputs - 1] + counts[outputs - 1] - left) * 3;
  const pairs = new Float64Array(rowBytes);
  const sums = new Float64Array(outputs * 3);
  for (let y = 0; y < rowCount; y += 2) {
    // The last of an odd number of rows is paired with itself.
    const second = Math.min(y + 1, rowCount - 1);
    pairInto(rgb, ((firstRow + y) * width + left) * 3, ((firstRow + second) * width + left) * 3, pairs, 0, rowBytes);
    filterRowInto(pairs, left, plan, sums);
    unpairInto(sums, out, y * outputs * 3, second * outputs * 3, outputs * 3);
  }
}

/**
 * Resamples columns: `out[i, x] = sum over t of weights[i, t] * rows[starts[i] - firstRow + t, x]`, rounded and clamped to a byte.
 * @param rows Uint8ClampedArray, rowCount x rowBytes
 * @param out Uint8ClampedArray, outputs x rowBytes
 */
export function resampleColumnsInto(
  rows: Uint8ClampedArray,
  rowBytes: number,
  firstRow: number,
  plan: ResampleWeights,
  out: Uint8ClampedArray,
): void {
  const { starts, counts, weights, stride } = plan;
  const rowCount = rows.length / rowBytes;
  // The left half of a row is paired with its right half; both hold an odd byte in the middle.
  const half = (rowBytes + 1) >> 1;
  const offset = rowBytes - half;
  const pairs = new Float64Array(rowCount * half);
  for (let y = 0; y < rowCount; y++) pairInto(rows, y * rowBytes, y * rowBytes + offset, pairs, y * half, half);
  const sums = new Float64Array(half);
  for (let i = 0; i < starts.length; i++) {
    const taps = counts[i];
    const start = (starts[i] - firstRow) * half;
    sums.fill(0);
    let t = 0;
    for (; t + 4 <= taps; t += 4) addFourRows(pairs, start + t * half, weights, i * stride + t, sums, half);
    for (; t < taps; t++) addRow(pairs, start + t * half, weights[i * stride + t], sums, half);
    unpairInto(sums, out, i * rowBytes, i * rowBytes + offset, half);
  }
}
