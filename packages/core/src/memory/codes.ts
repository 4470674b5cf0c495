/** Example codes: an embedding's taps, each of unit length, rounded to int8 so that every statistic of them is exact. */

import { ImprintError } from '../errors.ts';

/** Units of standard deviation that the largest code stands for: a unit vector's entries are about 1/sqrt(dim). */
const RANGE = 6;

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
    // Dividing by the largest entry first keeps the sum of squares clear of overflow and underflow.
    let largest = 0;
    for (let i = start; i < end; i++) {
      const size = Math.abs(embeddings[i]);
      if (size > largest) largest = size;
    }
    let squares = 0; // a NaN stays
    for (let i = start; i < end; i++) {
      const x = embeddings[i] / largest;
      squares += x * x;
    }
    if (!(squares > 0 && largest < Infinity)) {
      throw new ImprintError(
        'INVALID_EMBEDDING',
        `Expected finite values, not all zero, in tap ${(start / dim) % taps} of embedding ${Math.floor(start / (taps * dim))}, found ${embeddings.subarray(start, end).every((x) => x === 0) ? 'only zeros' : 'NaN or infinity'}. The backbone's output cannot be used: check its manifest and run \`imprint doctor\`.`,
      );
    }
    const factor = scale / (largest * Math.sqrt(squares));
    for (let i = start; i < end; i++) {
      // Math.round without its branch, which processors cannot foresee. Halves are 2 just below zero, where rounding makes them so.
      const x = embeddings[i] * factor;
      const below = Math.floor(x);
      const halves = (2 * (x - below)) | 0;
      const q = (below | 0) + halves - (halves >> 1);
      codes[i] = q > 127 ? 127 : q < -127 ? -127 : q;
    }
  }
}
