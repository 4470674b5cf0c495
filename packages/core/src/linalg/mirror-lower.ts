/** Fills what lies above the diagonal of a symmetric matrix, by tiles that stay in the first-level cache. */

import type { FitContext } from '../head.ts';

const TILE = 64;

/** Copies what lies below the diagonal above it. @param matrix Float64Array, order x order; written to */
export async function mirrorLower(
  matrix: Float64Array,
  order: number,
  { yieldToHost }: Pick<FitContext, 'yieldToHost'>,
): Promise<void> {
  for (let i0 = 0; i0 < order; i0 += TILE) {
    for (let j0 = 0; j0 <= i0; j0 += TILE) mirrorTile(matrix, order, i0, j0);
    await yieldToHost?.();
  }
}

function mirrorTile(matrix: Float64Array, order: number, i0: number, j0: number): void {
  const [i1, j1] = [Math.min(order, i0 + TILE), Math.min(order, j0 + TILE)];
  for (let i = i0; i < i1; i++) {
    const end = Math.min(i, j1);
    for (let j = j0; j < end; j++) matrix[j * order + i] = matrix[i * order + j];
  }
}
