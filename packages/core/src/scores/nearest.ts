/** The learned examples that a query resembles most: cosines of int8 codes over all taps. */

import { expected } from '../errors.ts';
import type { Memory } from '../head.ts';
import { codeScan, SCAN_ROWS } from '../memory/code-scan.ts';
import { codeProduct, cosine } from './dot-product.ts';

export interface NearestRow {
  /** Row of the example in the memory. */
  readonly row: number;
  /** Cosine of the codes, from -1 to 1; the mean of the taps' cosines, as each tap has the same length. */
  readonly similarity: number;
}

/** Int32Array, numExamples: squared length of each example's code, exact; the caller owns it. */
export function codeSquares({
  numExamples,
  width,
  codes,
}: Pick<Memory, 'numExamples' | 'width' | 'codes'>): Int32Array<ArrayBuffer> {
  const squares = new Int32Array(numExamples);
  for (let i = 0; i < numExamples; i++) squares[i] = codeProduct(codes, i * width, codes, i * width, width);
  return squares;
}

/** An integer as all products are: two are compared faster than with a fraction. */
const LEAST_PRODUCT = -(2 ** 31);

const shortest = new WeakMap<Int32Array, number>();

/** The least of squares that do not change any more. */
function shortestOf(squares: Int32Array): number {
  let least = shortest.get(squares);
  if (least === undefined) {
    least = Infinity;
    for (const square of squares) if (square < least) least = square;
    shortest.set(squares, least);
  }
  return least;
}

/**
 * The `count` examples most similar to a query, best first; equal ones in canonical order. One pass over the codes at the speed of
 * memory (see `code-scan.ts`), nothing allocated an example. Exact at any size: a million examples of 384 codes take some 30 ms, so
 * there is no approximate index.
 * @param query Int8Array, width
 * @param count from 0 up; more than there are examples gives all of them
 * @param squares what `codeSquares(memory)` returns: pass it to save computing it for every query
 * @throws INVALID_ARGUMENT for a query of another width
 */
export function nearestExamples(
  memory: Pick<Memory, 'codes' | 'numExamples' | 'width'>,
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
  const scan = codeScan(codes, numExamples, width);
  const { products } = scan;
  scan.setQuery(query, 0, 0, width);
  // Codes have nearly one length, so most rows fall to a product that no length makes similar enough: no root for those.
  const reach = Math.sqrt(square * shortestOf(squares));
  let least = LEAST_PRODUCT;
  for (let first = 0; first < numExamples; first += SCAN_ROWS) {
    const block = Math.min(SCAN_ROWS, numExamples - first);
    scan.scanRows(first, block);
    for (let b = 0; b < block; b++) {
      const product = products[b];
      if (product < least) continue;
      const i = first + b;
      const similarity = cosine(product, square, squares[i]);
      if (similarity <= similarities[kept - 1]) continue;
      let at = kept - 1;
      for (; at > 0 && similarities[at - 1] < similarity; at--) {
        similarities[at] = similarities[at - 1];
        rows[at] = rows[at - 1];
      }
      similarities[at] = similarity;
      rows[at] = i;
      // Of rows no shorter than the shortest, one with a smaller product has a smaller cosine; one less for rounding.
      const worst = similarities[kept - 1];
      least = worst > 0 ? ((worst * reach) | 0) - 1 : LEAST_PRODUCT;
    }
  }
  const found: NearestRow[] = [];
  for (let r = 0; r < kept; r++) found.push({ row: rows[r], similarity: similarities[r] });
  return found;
}
