/** Fills what lies above the diagonal of a symmetric matrix, by tiles that stay in the first-level cache. */

import type { FitContext } from '../head.ts';
import type { Floats } from './small-cholesky.ts';

export const MIRROR_TILE = 64;

/** Copies what lies below the diagonal above it. @param matrix Float64Array, order x order; written to */
export async function mirrorLower(
  matrix: Float64Array,
  order: number,
  { yieldToHost }: Pick<FitContext, 'yieldToHost'>,
): Promise<void> {
  for (let i0 = 0; i0 < order; i0 += MIRROR_TILE) {
    for (let j0 = 0; j0 <= i0; j0 += MIRROR_TILE) mirrorTile(matrix, order, i0, j0);
    await yieldToHost?.();
  }
}

/** One tile of `mirrorLower`: rows from `i0` and columns from `j0` on, of what lies below the diagonal. */
export function mirrorTile(matrix: Floats, order: number, i0: number, j0: number): void {
  const [i1, j1] = [Math.min(order, i0 + MIRROR_TILE), Math.min(order, j0 + MIRROR_TILE)];
  for (let i = i0; i < i1; i++) {
    const end = Math.min(i, j1);
    for (let j = j0; j < end; j++) matrix[j * order + i] = matrix[i * order + j];
  }
}
