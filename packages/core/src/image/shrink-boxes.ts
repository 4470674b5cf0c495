/** Shrinks a picture by whole factors, averaging boxes: the cheap first step of a large reduction. */

/** A part of a picture in whole pixels. */
export interface PixelBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Rows that 16-bit lanes can add up: 257 x 255 = 65,535. */
const MAX_LANE_ROWS = 257;

/**
 * Averages boxes of `factorX` x `factorY` pixels, rounded to nearest; boxes that the picture's edge cuts average what is there.
 *
 * Source: Pillow's `Image.reduce` (Reduce.c), except that `floor((sum + floor(n / 2)) / n)`, n pixels a box, is exact here:
 * Pillow multiplies by a truncated 2^24 / n and may come out one lower.
 * Rows of a box are added four bytes at a time, in the 16-bit lanes of two 32-bit integers.
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
  const words = new Uint32Array(Math.ceil(rowBytes / 4));
  const bytes = new Uint8Array(words.buffer, 0, rowBytes);
  const even = new Int32Array(words.length);
  const odd = new Int32Array(words.length);
  for (let y = 0; y < box.height; y++) {
    const top = (box.top + y) * factorY;
    const bottom = Math.min(top + factorY, height);
    sums.fill(0);
    for (let first = top; first < bottom; first += MAX_LANE_ROWS) {
      const last = Math.min(first + MAX_LANE_ROWS, bottom);
      even.fill(0);
      odd.fill(0);
      for (let row = first; row < last; row++) {
        const start = (row * width + left) * 3;
        bytes.set(rgb.subarray(start, start + rowBytes));
        for (let i = 0; i < words.length; i++) {
          const word = words[i];
          even[i] += word & 0x00ff00ff;
          odd[i] += (word >>> 8) & 0x00ff00ff;
        }
      }
      spreadLanes(even, odd, sums);
    }
    averageRow(sums, factorX, bottom - top, out, y * box.width * 3, box.width);
  }
  return out;
}

/** Adds the four 16-bit lanes of each word to the sums of its four bytes (little-endian order, as every engine's). */
function spreadLanes(even: Int32Array, odd: Int32Array, sums: Float64Array): void {
  const whole = sums.length >> 2;
  for (let i = 0, o = 0; i < whole; i++, o += 4) {
    sums[o] += even[i] & 0xffff;
    sums[o + 1] += odd[i] & 0xffff;
    sums[o + 2] += even[i] >>> 16;
    sums[o + 3] += odd[i] >>> 16;
  }
  for (let o = whole * 4; o < sums.length; o++) {
    const lanes = o & 1 ? odd[whole] : even[whole];
    sums[o] += o & 2 ? lanes >>> 16 : lanes & 0xffff;
  }
}

function averageRow(
  sums: Float64Array,
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
