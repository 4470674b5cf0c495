/** The picture that every backbone is checked with on a new device: computed, so no file and no decoder can spoil it. */

import type { Preprocessing } from '../backbone.ts';
import { normaliseInto } from './preprocess.ts';

/**
 * The model input of the canary: bytes `v(c, y, x) = (7 x + 13 y + 31 c + 3 ((x y) mod 61)) mod 256`, normalised.
 * A manifest's `canary.embedding` is what the model answers to it.
 * @returns Float32Array, 3 x size x size, row-major; the caller owns it
 */
export function canaryPixels(preprocessing: Preprocessing): Float32Array<ArrayBuffer> {
  const { size } = preprocessing;
  const square = new Uint8Array(size * size * 3);
  for (let y = 0, o = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let c = 0; c < 3; c++) square[o++] = (x * 7 + y * 13 + c * 31 + ((x * y) % 61) * 3) % 256;
    }
  }
  const pixels = new Float32Array(3 * size * size);
  normaliseInto(square, preprocessing, pixels);
  return pixels;
}
