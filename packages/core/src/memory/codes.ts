/** Example codes: an embedding's taps, each of unit length, rounded to int8 so that every statistic of them is exact. */

import { ImprintError } from '../errors.ts';

/** Units of standard deviation that the largest code stands for: a unit vector's entries are about 1/sqrt(dim). */
const RANGE = 6;

export const LARGEST_CODE = 127;

/** Numbers that an embedding may have, all taps together. */
export const MOST_NUMBERS = 2 ** 24;

/** The factor from an entry of a unit vector to its code: `sqrt(dim) * 127 / 6`. */
export function codeScale(dim: number): number {
  return (Math.sqrt(dim) * 127) / RANGE;
}

/**
 * Encodes embeddings: each tap to unit length, then `q = clamp(round(x * sqrt(dim) * 127 / 6), -127, 127)`.
 * @param embeddings Float32Array, count x taps x dim, row-major, any length
 * @returns Int8Array, count x taps x dim; the caller owns it
 * @throws INVALID_EMBEDDING for a NaN, an infinity, a tap of length zero, or a wrong number of values
 */
export function encodeCodes(
  embeddings: Float32Array,
  count: number,
  taps: number,
  dim: number,
): Int8Array<ArrayBuffer> {
  const codes = new Int8Array(count * taps * dim);
  encodeCodesInto(embeddings, count, taps, dim, codes);
  return codes;
}

/** The same into `codes`, Int8Array, count x taps x dim. */
export function encodeCodesInto(
  embeddings: Float32Array,
  count: number,
  taps: number,
  dim: number,
  codes: Int8Array,
): void {
  if (embeddings.length !== count * taps * dim) {
    throw new ImprintError(
      'INVALID_EMBEDDING',
      `Expected ${count} x ${taps} x ${dim} = ${count * taps * dim} values, got ${embeddings.length}. Check that the embedding comes from this classifier's backbone.`,
    );
  }
  const scale = codeScale(dim);
  for (let start = 0; start < embeddings.length; start += dim) {
    const end = start + dim;
    const squares = squaredLength(embeddings, start, end); // a NaN stays
    if (!(squares > 0 && squares < Infinity)) {
      throw new ImprintError(
        'INVALID_EMBEDDING',
        `Expected finite values, not all zero, in tap ${(start / dim) % taps} of embedding ${Math.floor(start / (taps * dim))}, found ${embeddings.subarray(start, end).every((x) => x === 0) ? 'only zeros' : 'NaN or infinity'}. The backbone's output cannot be used: check its manifest and run \`imprint doctor\`.`,
      );
    }
    const factor = scale / Math.sqrt(squares);
    for (let i = start; i < end; i++) {
      const q = Math.floor(embeddings[i] * factor + 0.5) | 0;
      codes[i] = q > 127 ? 127 : q < -127 ? -127 : q;
    }
  }
}

/** Four sums, which processors add side by side. Squares of 32-bit floats neither overflow nor vanish in 64 bits. */
function squaredLength(values: Float32Array, start: number, end: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = start;
  for (; i + 3 < end; i += 4) {
    s0 += values[i] * values[i];
    s1 += values[i + 1] * values[i + 1];
    s2 += values[i + 2] * values[i + 2];
    s3 += values[i + 3] * values[i + 3];
  }
  for (; i < end; i++) s0 += values[i] * values[i];
  return s0 + s1 + (s2 + s3);
}
