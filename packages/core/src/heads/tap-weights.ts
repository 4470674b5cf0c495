/** How much each tap counts: weights that add up to one, and the column groups of the codes that share a weight. */

import { codeScale } from '../memory/codes.ts';

/** Columns `[start, start + width)` of the codes and what their products count. */
export interface TapGroup {
  readonly start: number;
  readonly width: number;
  /** Weight of one product of two codes, such that an embedding's product with itself is close to one. */
  readonly weight: number;
}

/** Products of int8 codes add up exactly in f32 over this many columns: 127^2 * 1024 < 2^24. */
const MAX_COLUMNS = 1024;

/** `last`: the first tap alone, the best single embedding. `all`: every tap alike. A number: the share spread over all taps. */
export type TapChoice = 'last' | 'all' | number;

/**
 * Weights of taps: `1 - share` on the first tap and `share` spread evenly over all of them.
 * @returns Float64Array, taps, adding up to 1; the caller owns it
 */
export function tapWeights(taps: number, choice: TapChoice): Float64Array {
  const share = choice === 'last' ? 0 : choice === 'all' ? 1 : choice;
  const weights = new Float64Array(taps).fill(share / taps);
  weights[0] = taps === 1 ? 1 : 1 - share + share / taps;
  return weights;
}

/** Column groups of equal weight, at most 1,024 columns each, in ascending order; taps of weight zero are left out. */
export function tapGroups(taps: number, dim: number, weights: Float64Array): TapGroup[] {
  const groups: TapGroup[] = [];
  const scale = codeScale(dim);
  for (let tap = 0; tap < taps;) {
    let end = tap + 1;
    while (end < taps && weights[end] === weights[tap]) end++;
    if (weights[tap] > 0) {
      const last = end * dim;
      for (let start = tap * dim; start < last; start += MAX_COLUMNS) {
        groups.push({ start, width: Math.min(MAX_COLUMNS, last - start), weight: weights[tap] / (scale * scale) });
      }
    }
    tap = end;
  }
  return groups;
}

/**
 * Float64Array, columns of `groups` in turn: the factor that makes codes into weighted unit vectors, the square root of
 * each group's weight.
 */
export function columnScales(groups: readonly TapGroup[]): Float64Array {
  const scales = new Float64Array(groups.reduce((sum, group) => sum + group.width, 0));
  let at = 0;
  for (const { width, weight } of groups) {
    scales.fill(Math.sqrt(weight), at, at + width);
    at += width;
  }
  return scales;
}

/** Rows of codes as weighted vectors. Float64Array, count x columns of `groups`, row-major; the caller owns it. */
export function weightedRows(
  rows: Int8Array | Float64Array,
  count: number,
  width: number,
  groups: readonly TapGroup[],
): Float64Array {
  const scales = columnScales(groups);
  const columns = scales.length;
  const out = new Float64Array(count * columns);
  for (let i = 0; i < count; i++) {
    let at = i * columns;
    let column = 0;
    for (const group of groups) {
      const first = i * width + group.start;
      for (let j = 0; j < group.width; j++) out[at++] = rows[first + j] * scales[column++];
    }
  }
  return out;
}
