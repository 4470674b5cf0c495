/** Solves `(A + ridge I) X = R` for any number of ridges, with the diagonal of each inverse, from one reduction to a band. */

import type { FitContext } from '../head.ts';
import { factorBand } from './band-factor.ts';
import type { BandReduction } from './band-reduction.ts';
import { bidiagonalSolve, bidiagonalSquares } from './bidiagonal-rows.ts';

export interface ShiftedSolution {
  /** Float64Array, order x count: `(A + ridge I)^-1 R`. */
  readonly solved: Float64Array;
  /** Float64Array, order: diagonal of `(A + ridge I)^-1`. */
  readonly inverseDiagonal: Float64Array;
}

/**
 * With `B + ridge I = L L^T`: the inverse's diagonal is the squared row lengths of `Q L^-T`, and `X^T = R^T Q (L L^T)^-1 Q^T`.
 * @param right Float64Array, order x count, row-major; not changed
 * @returns a function of the ridge, in `order^2 (4 band + 2 count)` operations a call
 */
export async function bandedSystem(
  reduction: BandReduction,
  right: Float64Array,
  count: number,
  context: FitContext,
): Promise<(ridge: number) => Promise<ShiftedSolution>> {
  const { order, band, rotation } = reduction;
  const shape = { m: count, n: order, k: order, transposeA: true };
  const sides = await columnBlocks(await context.gemm.f64(right, rotation, shape), order, band, context);
  const rows = await columnBlocks(rotation, order, band, context);
  return async (ridge) => {
    context.signal?.throwIfAborted();
    const factor = await factorBand(reduction, ridge);
    const inverseDiagonal = await bidiagonalSquares(rows, order, factor, context);
    const turned = await bidiagonalSolve(sides, count, factor, context);
    const back = { m: order, n: count, k: order, transposeB: true };
    const solved = await context.gemm.f64(rotation, turned, back);
    await context.yieldToHost?.();
    return { solved, inverseDiagonal };
  };
}

/** Entries that are copied between two turns of the host. */
const TURN_ENTRIES = 2 ** 21;

/** A row-major matrix by blocks of `width` columns, the last one's may be fewer, each row-major. */
async function columnBlocks(
  matrix: Float64Array,
  columns: number,
  width: number,
  { yieldToHost }: FitContext,
): Promise<Float64Array[]> {
  const blocks: Float64Array[] = [];
  let copied = 0;
  for (let first = 0; first < columns; first += width) {
    const own = Math.min(width, columns - first);
    const block = new Float64Array((matrix.length / columns) * own);
    for (let at = first, to = 0; to < block.length; at += columns, to += own) {
      block.set(matrix.subarray(at, at + own), to);
    }
    blocks.push(block);
    copied += block.length;
    if (copied < TURN_ENTRIES) continue;
    copied = 0;
    await yieldToHost?.();
  }
  return blocks;
}
