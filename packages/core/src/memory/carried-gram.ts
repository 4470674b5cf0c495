/**
 * Exact Gram matrices of int8 rows with integer weights, carried from one state of the examples to the next: rows that
 * came are added, rows that went are taken away, and the integers are those of a sum over all rows.
 */

import type { FitContext } from '../head.ts';
import { mirrorLower } from '../linalg/mirror-lower.ts';

/** Rows of one product: 127^2 * 1024 < 2^24, so every partial sum is an integer that f32 holds exactly. */
const BLOCK_ROWS = 1024;
/** Columns of a tile of the result: its product stays in the second-level cache until it is added. */
const TILE = 512;

export interface GramRows {
  /** Int8Array, count x width, row-major. */
  readonly rows: Int8Array;
  readonly width: number;
  /** The first so many columns are used. */
  readonly columns: number;
  /** Float64Array, count: integers, such that the sum of `weight * 127^2` stays within 2^53. Absent: all one. */
  readonly weights?: Float64Array;
}

interface KeptGram extends GramRows {
  /** Float64Array, columns x columns; the lower triangle by tiles. */
  readonly gram: Float64Array;
}

/**
 * `sum_i w_i q_i q_i^T`. Only the lower triangle is sure to be filled, unless `mirrored`.
 * @param name where the matrix is kept in `context.carry`, together with the rows themselves
 * @param parameters what the rows depend on besides `codes`
 * @param codes Int8Array: the examples' codes that the rows belong to, one row each
 * @param all the matrix of all rows by a way of its own, or undefined where that is of no use
 * @returns Float64Array, columns x columns; read it, it may be kept
 */
export async function carriedGram(
  name: string,
  parameters: string,
  codes: Int8Array,
  of: GramRows,
  context: FitContext,
  mirrored = false,
  all: () => Promise<Float64Array | undefined> = () => Promise.resolve(undefined),
): Promise<Float64Array> {
  const count = of.rows.length / of.width;
  const key = `${parameters} ${of.columns} ${mirrored}`;
  const carried = context.carry?.take<KeptGram>(name, key, codes, codes.length / count);
  const gram = (await changed(of, count, carried, context)) ?? (await all()) ?? (await whole(of, count, context));
  if (mirrored) await mirrorLower(gram, of.columns, context);
  context.carry?.put(name, key, codes, { ...of, gram });
  return gram;
}

async function whole(of: GramRows, count: number, context: FitContext): Promise<Float64Array> {
  const gram = new Float64Array(of.columns * of.columns);
  const every = Int32Array.from({ length: count }, (_, i) => i);
  await addRows(gram, of, every, 1, context);
  return gram;
}

/** From the Gram matrix of another state; undefined where adding up all rows is less work. */
async function changed(
  of: GramRows,
  count: number,
  carried: { value: KeptGram; sources: Int32Array; numBefore: number } | undefined,
  context: FitContext,
): Promise<Float64Array | undefined> {
  if (carried === undefined) return undefined;
  const { value: before, sources, numBefore } = carried;
  const came: number[] = [];
  const stayed = new Uint8Array(numBefore);
  for (let i = 0; i < count; i++) {
    const from = sources[i];
    if (from >= 0 && weightOf(before, from) === weightOf(of, i)) stayed[from] = 1;
    else came.push(i);
  }
  const went: number[] = [];
  for (let i = 0; i < numBefore; i++) if (stayed[i] === 0) went.push(i);
  if (came.length + went.length > count / 2) return undefined;
  if (came.length + went.length === 0) return before.gram;
  const gram = before.gram.slice();
  await addRows(gram, of, Int32Array.from(came), 1, context);
  await addRows(gram, before, Int32Array.from(went), -1, context);
  return gram;
}

function weightOf({ weights }: GramRows, row: number): number {
  return weights === undefined ? 1 : weights[row];
}

/** Rows of one weight share products, which then count weight times. */
async function addRows(gram: Float64Array, of: GramRows, chosen: Int32Array, sign: 1 | -1, context: FitContext) {
  const ordered = of.weights === undefined ? chosen : chosen.sort((a, b) => weightOf(of, a) - weightOf(of, b) || a - b);
  for (let first = 0; first < ordered.length;) {
    context.signal?.throwIfAborted();
    const weight = weightOf(of, ordered[first]);
    let end = first + 1;
    while (end < ordered.length && end < first + BLOCK_ROWS && weightOf(of, ordered[end]) === weight) end++;
    await addBlock(gram, of, ordered.subarray(first, end), sign * weight, context);
    first = end;
  }
}

async function addBlock(gram: Float64Array, of: GramRows, block: Int32Array, factor: number, context: FitContext) {
  const { columns } = of;
  const strips: Float32Array[] = [];
  for (let start = 0; start < columns; start += TILE) strips.push(columnsOf(of, block, start));
  for (const [s, left] of strips.entries()) {
    const m = Math.min(TILE, columns - s * TILE);
    for (let t = 0; t <= s; t++) {
      const n = Math.min(TILE, columns - t * TILE);
      const shape = { m, n, k: block.length, transposeA: true };
      const product = await context.gemm.f32(left, strips[t], shape);
      for (let i = 0, at = 0; i < m; i++) {
        const row = (s * TILE + i) * columns + t * TILE;
        for (let j = 0; j < n; j++, at++) gram[row + j] += factor * product[at];
      }
    }
    await context.yieldToHost?.();
  }
}

/** A strip of columns of the chosen rows as floats, rows x at most 512. */
function columnsOf({ rows, width, columns }: GramRows, block: Int32Array, start: number): Float32Array {
  const wide = Math.min(TILE, columns - start);
  const strip = new Float32Array(block.length * wide);
  for (let r = 0; r < block.length; r++) {
    const from = block[r] * width + start;
    strip.set(rows.subarray(from, from + wide), r * wide);
  }
  return strip;
}
