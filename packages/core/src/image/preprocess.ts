/** From decoded pixels to a model's input: one antialiased resize, centre crop and normalisation, the same bytes in every runtime. */

import type { Preprocessing } from '../backbone.ts';
import { expected, ImprintError } from '../errors.ts';
import { WEIGHT_BITS, resampleWeights, type ResampleWeights } from './resample-weights.ts';

const HALF = 1 << (WEIGHT_BITS - 1);

/** Where the centre crop lies in the resized picture; only these pixels are ever computed. */
interface CropPlan {
  readonly resizedWidth: number;
  readonly resizedHeight: number;
  readonly left: number;
  readonly top: number;
}

/** Shorter side to `resize`, longer side truncated to whole pixels, crop offset rounded half to even: as torchvision does. */
function planCrop(width: number, height: number, { resize, size }: Preprocessing): CropPlan {
  const resizedWidth = width <= height ? resize : Math.trunc((resize * width) / height);
  const resizedHeight = height <= width ? resize : Math.trunc((resize * height) / width);
  return {
    resizedWidth,
    resizedHeight,
    left: halfRoundedToEven(resizedWidth - size),
    top: halfRoundedToEven(resizedHeight - size),
  };
}

function halfRoundedToEven(difference: number): number {
  const half = Math.trunc(difference / 2);
  return difference % 2 === 0 || half % 2 === 0 ? half : half + 1;
}

/** One row of three-channel bytes, resampled along x: `out[i] = sum of weights x rgb`, rounded and clamped to a byte. */
function resampleRowInto(
  rgb: Uint8Array,
  rowStart: number,
  plan: ResampleWeights,
  out: Uint8Array,
  outStart: number,
): void {
  const { starts, counts, weights, stride } = plan;
  const outputs = starts.length;
  let o = outStart;
  for (let i = 0; i < outputs; i++) {
    let p = rowStart + 3 * starts[i];
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    const first = i * stride;
    const end = first + counts[i];
    for (let t = first; t < end; t++) {
      const weight = weights[t];
      red = (red + Math.imul(rgb[p], weight)) | 0;
      green = (green + Math.imul(rgb[p + 1], weight)) | 0;
      blue = (blue + Math.imul(rgb[p + 2], weight)) | 0;
      p += 3;
    }
    red >>= WEIGHT_BITS;
    green >>= WEIGHT_BITS;
    blue >>= WEIGHT_BITS;
    out[o] = red < 0 ? 0 : red > 255 ? 255 : red;
    out[o + 1] = green < 0 ? 0 : green > 255 ? 255 : green;
    out[o + 2] = blue < 0 ? 0 : blue > 255 ? 255 : blue;
    o += 3;
  }
}

/** Checks what the kernel relies on, once, at the door. */
function checkPicture(rgb: Uint8Array, width: number, height: number, preprocessing: Preprocessing): void {
  if (!Number.isInteger(width) || width < 1) throw expected('width', 'a positive integer', width);
  if (!Number.isInteger(height) || height < 1) throw expected('height', 'a positive integer', height);
  if (rgb.length !== width * height * 3) {
    throw new ImprintError(
      'INVALID_ARGUMENT',
      `Expected ${width} x ${height} x 3 = ${width * height * 3} bytes for rgb, got ${rgb.length}. Give red, green and blue, row by row, without alpha (see flattenOnWhite).`,
    );
  }
  const { size, resize } = preprocessing;
  if (!Number.isInteger(size) || size < 1) throw expected('preprocessing.size', 'a positive integer', size);
  if (!Number.isInteger(resize) || resize < size) {
    throw expected('preprocessing.resize', `an integer of at least size (${size})`, resize);
  }
}

/**
 * Resizes and crops a picture to the model's square, as bytes.
 *
 * The resize is Pillow's (bicubic a = -0.5 or bilinear, widened when shrinking, weights of 22 fractional bits, rows first,
 * rounded to bytes between the passes), of which only the crop is computed. All sums are integers: no engine can differ.
 * @param rgb Uint8Array, height x width x 3, row-major
 * @returns Uint8Array, size x size x 3, row-major; the caller owns it
 * @throws INVALID_ARGUMENT for sides below 1, or another number of bytes
 */
export function resizeAndCrop(
  rgb: Uint8Array,
  width: number,
  height: number,
  preprocessing: Preprocessing,
): Uint8Array<ArrayBuffer> {
  checkPicture(rgb, width, height, preprocessing);
  const { size, resample } = preprocessing;
  const { resizedWidth, resizedHeight, left, top } = planCrop(width, height, preprocessing);
  const across = resampleWeights(width, resizedWidth, left, size, resample);
  const down = resampleWeights(height, resizedHeight, top, size, resample);

  const firstRow = down.starts[0];
  const rows = down.starts[size - 1] + down.counts[size - 1] - firstRow;
  const rowBytes = size * 3;
  const narrow = new Uint8Array(rows * rowBytes);
  for (let y = 0; y < rows; y++) {
    resampleRowInto(rgb, (firstRow + y) * width * 3, across, narrow, y * rowBytes);
  }

  const square = new Uint8Array(size * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < size; y++) {
    sums.fill(HALF);
    for (let t = 0; t < down.counts[y]; t++) {
      const weight = down.weights[y * down.stride + t];
      const start = (down.starts[y] - firstRow + t) * rowBytes;
      for (let x = 0; x < rowBytes; x++) sums[x] += Math.imul(narrow[start + x], weight);
    }
    const start = y * rowBytes;
    for (let x = 0; x < rowBytes; x++) {
      const value = sums[x] >> WEIGHT_BITS;
      square[start + x] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
  return square;
}

/**
 * `out[c, y, x] = (square[y, x, c] / 255 - mean[c]) / std[c]`, computed in f64 and rounded once to f32.
 * @param square Uint8Array, size x size x 3, row-major
 * @param out Float32Array, 3 x size x size, row-major
 */
export function normaliseInto(square: Uint8Array, preprocessing: Preprocessing, out: Float32Array): void {
  const { mean, std } = preprocessing;
  const plane = square.length / 3;
  const table = new Float32Array(256);
  for (let c = 0; c < 3; c++) {
    for (let v = 0; v < 256; v++) table[v] = (v / 255 - mean[c]) / std[c];
    const start = c * plane;
    for (let i = 0, p = c; i < plane; i++, p += 3) out[start + i] = table[square[p]];
  }
}

/**
 * Decoded pixels become the model's input: shorter side to `resize`, centre crop `size`, `(x / 255 - mean) / std`.
 * @param rgb Uint8Array, height x width x 3, row-major; not changed
 * @param out Float32Array, 3 x size x size, row-major (channel first), all of it written
 * @throws INVALID_ARGUMENT for sides below 1, or a length that does not fit
 */
export function preprocessInto(
  rgb: Uint8Array,
  width: number,
  height: number,
  preprocessing: Preprocessing,
  out: Float32Array,
): void {
  const values = 3 * preprocessing.size * preprocessing.size;
  if (out.length !== values) throw expected('out', `a Float32Array of length ${values}`, out);
  normaliseInto(resizeAndCrop(rgb, width, height, preprocessing), preprocessing, out);
}
