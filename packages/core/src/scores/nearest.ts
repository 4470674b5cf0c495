/** The learned examples that a query resembles most: cosines of int8 codes over all taps. */

import { expected } from '../errors.ts';
import type { Memory } from '../head.ts';
import { codeProduct, cosine } from './dot-product.ts';

export interface NearestRow {
  /** Row of the example in the memory. */
  readonly row: number;
  /** Cosine of the codes, from -1 to 1; the mean of the taps' cosines, as each tap has the same length. */
  readonly similarity: number;
}

/** Int32Array, numExamples: squared length of each example's code, exact; the caller owns it. */
export function codeSquares({ numExamples, width, codes }: Memory): Int32Array<ArrayBuffer> {
  const squares = new Int32Array(numExamples);
  for (let i = 0; i < numExamples; i++) squares[i] = codeProduct(codes, i * width, codes, i * width, width);
  return squares;
}

/**
 * The `count` examples most similar to a query, best first; equal ones in canonical order. One pass over the codes,
 * nothing allocated an example: about 1.5 ns a code entry.
 * @param query Int8Array, width
 * @param count from 0 up; more than there are examples gives all of them
 * @param squares what `codeSquares(memory)` returns: pass it to save computing it for every query
 * @throws INVALID_ARGUMENT for a query of another width
 */
export function nearestExamples(
  memory: Memory,
  query: Int8Array,
  count: number,
  squares: Int32Array = codeSquares(memory),
): NearestRow[] {
  const { numExamples, width, codes } = memory;
  if (query.length !== width) throw expected('query', `a code of ${width} entries`, query);
  const kept = Math.min(count, numExamples);
  if (!(kept > 0)) return [];
  const similarities = new Float64Array(kept).fill(-Infinity);
  const rows = new Int32Array(kept).fill(-1);
  const square = codeProduct(query, 0, query, 0, width);
  for (let i = 0; i < numExamples; i++) {
    const similarity = cosine(codeProduct(query, 0, codes, i * width, width), square, squares[i]);
    if (similarity <= similarities[kept - 1]) continue;
    let at = kept - 1;
    for (; at > 0 && similarities[at - 1] < similarity; at--) {
      similarities[at] = similarities[at - 1];
      rows[at] = rows[at - 1];
    }
    similarities[at] = similarity;
    rows[at] = i;
  }
  return Array.from(rows, (row, r) => ({ row, similarity: similarities[r] }));
}
