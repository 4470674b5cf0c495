/** Shrinks a picture by whole factors, averaging boxes: the cheap first step of a large reduction. */

import { addRowsWithSimd } from './resample-simd.ts';

/** A part of a picture in whole pixels. */
export interface PixelBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Rows that 16 bits can add up: 257 x 255 = 65,535. */
const MAX_LANE_ROWS = 257;

/**
 * Averages boxes of `factorX` x `factorY` pixels, rounded to nearest; boxes that the picture's edge cuts average what is there.
 *
 * Source: Pillow's `Image.reduce` (Reduce.c), except that `floor((sum + floor(n / 2)) / n)`, n pixels a box, is exact here:
 * Pillow multiplies by a truncated 2^24 / n and may come out one lower.
 * @param rgb Uint8Array, height x width x 3, row-major
 * @param box the part of the *result* that is wanted, in result pixels
 * @returns Uint8Array, box.height x box.width x 3, row-major; the caller owns it
 */
export function shrinkBoxes(
  rgb: Uint8Array,
  width: number,
  height: number,
  factorX: number,
  factorY: number,
  box: PixelBox,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(box.width * box.height * 3);
  const left = box.left * factorX;
  const right = Math.min((box.left + box.width) * factorX, width);
  const rowBytes = (right - left) * 3;
  const sums = new Float64Array(rowBytes);
  const pitch = width * 3;
  for (let y = 0; y < box.height; y++) {
    const top = (box.top + y) * factorY;
    const bottom = Math.min(top + factorY, height);
    const start = top * pitch + left * 3;
    const rows = bottom - top;
    const lanes = rows <= MAX_LANE_ROWS ? addRowsWithSimd(rgb, start, pitch, rowBytes, rows) : undefined;
    if (lanes === undefined) {
      sums.fill(0);
      addRowsInto(rgb, start, pitch, rows, sums);
    }
    averageRow(lanes ?? sums, factorX, rows, out, y * box.width * 3, box.width);
  }
  return out;
}

/** `sums[x] += sum over y of bytes[start + y * pitch + x]`: what `addRowsWithSimd` adds, in any engine. */
export function addRowsInto(bytes: Uint8Array, start: number, pitch: number, rows: number, sums: Float64Array): void {
  for (let y = 0, from = start; y < rows; y++, from += pitch) {
    for (let x = 0; x < sums.length; x++) sums[x] += bytes[from + x];
  }
}

function averageRow(
  sums: Float64Array | Uint16Array,
  factor: number,
  rows: number,
  out: Uint8Array,
  outStart: number,
  outputs: number,
): void {
  const columns = sums.length / 3;
  for (let x = 0, o = outStart; x < outputs; x++, o += 3) {
    const first = x * factor;
    const last = Math.min(first + factor, columns);
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let i = first * 3; i < last * 3; i += 3) {
      red += sums[i];
      green += sums[i + 1];
      blue += sums[i + 2];
    }
    const pixels = (last - first) * rows;
    const half = Math.floor(pixels / 2);
    out[o] = (red + half) / pixels;
    out[o + 1] = (green + half) / pixels;
    out[o + 2] = (blue + half) / pixels;
  }
}
