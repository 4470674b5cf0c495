/**
 * Random +-1 projection and ReLU, requantised to int8 by an exact shift: `min(max(h, 0) >> s, 127)`.
 * RanPAC: McDonnell et al., NeurIPS 2023, equation 4 (there Gaussian weights and floats); +-1 weights: Achlioptas (2003).
 */

import { integerProjection, tapFactors } from './integer-projection.ts';
import type { Projection, ProjectionInput } from './projection.ts';
import { seededBits } from './seeded-bits.ts';

/** Standard deviation that a feature should have after the shift: 127 is then seven of them away. */
const TARGET_DEVIATION = 18;

/** Features multiplied at a time: 2 MB of products for 512 examples. */
const BLOCK = 1024;

/** Int8Array, numFeatures x width of +1 and -1, 32 of them a draw. */
export function rademacherWeights(numFeatures: number, width: number, seed: number): Int8Array {
  const weights = new Int8Array(numFeatures * width);
  const words = new Int32Array(weights.buffer, 0, weights.length >> 2);
  const next = seededBits(seed);
  for (let at = 0; at < weights.length; at += 32) {
    const bits = next();
    const whole = Math.min(words.length, (at + 32) >> 2);
    for (let word = at >> 2, k = 0; word < whole; word++, k += 4) words[word] = FOUR_SIGNS[(bits >>> k) & 15];
    for (let rest = Math.max(at, whole << 2); rest < Math.min(weights.length, at + 32); rest++) {
      weights[rest] = (bits >>> (rest - at)) & 1 ? 1 : -1;
    }
  }
  return weights;
}

/** Four bits as four bytes of +1 and -1, the lowest bit in the lowest byte. */
const FOUR_SIGNS = new Int32Array(
  Int8Array.from({ length: 64 }, (_, at) => (((at >> 2) >> (at & 3)) & 1 ? 1 : -1)).buffer,
);

/** Bits to shift products right so that features of an embedding of this length spread over int8. 4 for one tap of 192. */
export function requantisingShift(length: number): number {
  return Math.max(0, Math.round(Math.log2(length / TARGET_DEVIATION)));
}

/** `min(max(h, 0) >> shift, 127)`. Half of them are negative, in no order that a branch could guess. */
function feature(product: number, shift: number): number {
  const h = product >> shift;
  return h > 127 ? 127 : h & ~(h >> 31);
}

/** @param numFeatures M, default 4096 */
export function rademacherRelu(input: ProjectionInput, numFeatures = 4096, seed = 1): Projection {
  const weights = rademacherWeights(numFeatures, input.taps * input.dim, seed);
  const shift = requantisingShift(tapFactors(input).length);
  const parameters = { features: numFeatures, seed, shift };
  return integerProjection(
    'rademacher-relu',
    parameters,
    input,
    weights,
    numFeatures,
    (products, from, count, out, at) => {
      // Four features a word take half the time of four bytes.
      const place = out.byteOffset + at;
      const words = new Int32Array(out.buffer, place & ~3, place % 4 === 0 ? count >> 2 : 0);
      for (let word = 0, m = from; word < words.length; word++, m += 4) {
        const a = feature(products[m], shift);
        const b = feature(products[m + 1], shift);
        const c = feature(products[m + 2], shift);
        const d = feature(products[m + 3], shift);
        words[word] = a | (b << 8) | (c << 16) | (d << 24);
      }
      for (let m = words.length * 4; m < count; m++) out[at + m] = feature(products[from + m], shift);
    },
    BLOCK,
  );
}
