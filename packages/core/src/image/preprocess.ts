/** From decoded pixels to a model's input: one antialiased resize, centre crop and normalisation, the same bytes in every runtime. */

import type { Preprocessing } from '../backbone.ts';
import { expected, ImprintError } from '../errors.ts';
import { resampleColumnsInto, resampleRowsInto } from './resample.ts';
import { resampleWithSimd } from './resample-simd.ts';
import { resampleWeights } from './resample-weights.ts';
import { shrinkBoxes } from './shrink-boxes.ts';

/** A reduction by four or more first averages whole boxes, so that the filter proper has at least a factor of two left to do. */
const FILTER_GAP = 2;

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
 * The resize is Pillow's with `reducing_gap=2` (boxes averaged first where the reduction is 4 or more, then bicubic a = -0.5 or
 * bilinear, widened when shrinking; rows first, rounded to bytes in between), of which only the crop is computed. Weights have
 * 17 fractional bits instead of Pillow's 22, and boxes are rounded exactly: bytes differ by at most 1 (measured: 0 to 2.3 % of
 * them, 0 to 10 % after boxes). All sums are integers, so no engine can differ from another.
 * @param rgb Uint8Array, height x width x 3, row-major
 * @returns Uint8ClampedArray, size x size x 3, row-major; the caller owns it
 * @throws INVALID_ARGUMENT for sides below 1, or another number of bytes
 */
export function resizeAndCrop(
  rgb: Uint8Array,
  width: number,
  height: number,
  preprocessing: Preprocessing,
): Uint8ClampedArray<ArrayBuffer> {
  checkPicture(rgb, width, height, preprocessing);
  const { size, resample } = preprocessing;
  const { resizedWidth, resizedHeight, left, top } = planCrop(width, height, preprocessing);
  const factorX = Math.max(1, Math.trunc(width / resizedWidth / FILTER_GAP));
  const factorY = Math.max(1, Math.trunc(height / resizedHeight / FILTER_GAP));
  const shrunkWidth = Math.ceil(width / factorX);
  const shrunkHeight = Math.ceil(height / factorY);
  const across = resampleWeights(shrunkWidth, width / factorX, resizedWidth, left, size, resample);
  const down = resampleWeights(shrunkHeight, height / factorY, resizedHeight, top, size, resample);
  const firstRow = down.starts[0];
  const rowCount = down.starts[size - 1] + down.counts[size - 1] - firstRow;

  let source = rgb;
  let sourceWidth = width;
  let sourceRow = firstRow;
  let sourceAcross = across;
  let sourceDown = down;
  if (factorX > 1 || factorY > 1) {
    const firstColumn = across.starts[0];
    sourceWidth = across.starts[size - 1] + across.counts[size - 1] - firstColumn;
    const box = { left: firstColumn, top: firstRow, width: sourceWidth, height: rowCount };
    source = shrinkBoxes(rgb, width, height, factorX, factorY, box);
    sourceRow = 0;
    sourceAcross = { ...across, starts: across.starts.map((start) => start - firstColumn) };
    sourceDown = { ...down, starts: down.starts.map((start) => start - firstRow) };
  }
  const square = new Uint8ClampedArray(size * size * 3);
  if (!resampleWithSimd(source, sourceWidth, sourceRow, rowCount, sourceAcross, sourceDown, square)) {
    const narrow = new Uint8ClampedArray(rowCount * size * 3);
    resampleRowsInto(source, sourceWidth, sourceRow, rowCount, sourceAcross, narrow);
    resampleColumnsInto(narrow, size * 3, sourceRow, sourceDown, square);
  }
  return square;
}

/**
 * `out[c, y, x] = (square[y, x, c] / 255 - mean[c]) / std[c]`, computed in f64 and rounded once to f32.
 * @param square bytes, size x size x 3, row-major
 * @param out Float32Array, 3 x size x size, row-major
 */
export function normaliseInto(
  square: Uint8Array | Uint8ClampedArray,
  preprocessing: Preprocessing,
  out: Float32Array,
): void {
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
