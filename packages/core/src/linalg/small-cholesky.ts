/** Cholesky factors and inverses of small blocks by plain loops, and what is said of a pivot that is none. */

import { ImprintError } from '../errors.ts';

export type Floats = Float64Array | Float32Array;

/** So many zeros of the kind of `floats`. */
export function zerosLike<F extends Floats>(floats: F, length: number): F {
  return (floats instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)) as F;
}

/** Where in the whole matrix a block stands, for errors. */
export interface PivotPlace {
  readonly start: number;
  readonly order: number;
}

export function notPositiveDefinite({ start, order }: PivotPlace, index: number, pivot: number): ImprintError {
  return new ImprintError(
    'NOT_POSITIVE_DEFINITE',
    `Expected a positive definite matrix of order ${order}, got pivot ${start + index} = ${pivot}. Use more shrinkage, or a larger lambda.`,
  );
}

/**
 * Factors the leading `width` x `width` block of `panel` in place and clears what lies above its diagonal.
 * @param least a pivot must be above these, one for each column
 * @throws NOT_POSITIVE_DEFINITE naming the pivot
 */
export function factorSmall(panel: Floats, width: number, least: Float64Array, place: PivotPlace): void {
  for (let j = 0; j < width; j++) {
    const rowJ = j * width;
    let pivot = panel[rowJ + j];
    for (let p = 0; p < j; p++) pivot -= panel[rowJ + p] * panel[rowJ + p];
    if (!(pivot > least[j] && pivot < Infinity)) throw notPositiveDefinite(place, j, pivot);
    const root = Math.sqrt(pivot);
    panel[rowJ + j] = root;
    for (let i = j + 1; i < width; i++) {
      const rowI = i * width;
      let sum = panel[rowI + j];
      for (let p = 0; p < j; p++) sum -= panel[rowI + p] * panel[rowJ + p];
      panel[rowI + j] = sum / root;
      panel[rowJ + i] = 0;
    }
  }
}

/** The inverse of the lower triangle in the leading `width` x `width` block, `width` x `width`. */
export function invertLower<F extends Floats>(lower: F, width: number): F {
  const inverse = zerosLike(lower, width * width);
  for (let i = 0; i < width; i++) {
    const row = i * width;
    for (let p = 0; p < i; p++) {
      const factor = lower[row + p];
      const other = p * width;
      for (let j = 0; j <= p; j++) inverse[row + j] -= factor * inverse[other + j];
    }
    const scale = 1 / lower[row + i];
    for (let j = 0; j < i; j++) inverse[row + j] *= scale;
    inverse[row + i] = scale;
  }
  return inverse;
}
