/**
 * Scores that are linear in the codes: one weight vector and one offset a class. Weights are rounded to whole multiples of a power of
 * two, some 40 bits a class, so that every product with int8 codes and every sum of them is exact in float64: one by one, in machine
 * code or through any Gemm, scores are the same bits.
 */

import type { FitContext } from '../head.ts';
import { RowDots } from '../linalg/row-dots.ts';
import { roundWeights } from '../linalg/rounded-rows.ts';

/** `score_c = sum_j weights[c, j] q_j + offsets[c]`, over the codes as they are stored. */
export interface LinearScores {
  readonly width: number;
  readonly numClasses: number;
  /** Float64Array, numClasses x width, row-major. */
  readonly weights: Float64Array;
  /** Float64Array, numClasses. */
  readonly offsets: Float64Array;
}

/** Of the largest weight: as many as the sum of weights leaves. */
const BITS = 53;
/** Multiplications from which many queries go through the Gemm. */
const GEMM_WORK = 2 ** 21;
/** Scores that one product gives at most, so that it stays small beside its inputs: 32 MB. */
const GEMM_SCORES = 2 ** 22;
/** Weights up to which machine code keeps a copy of them: 32 MB. */
const MOST_COPIED = 2 ** 22;
/** Beyond, they are copied so many at a time, which stay in the second-level cache for all queries. */
const BLOCK_WEIGHTS = 2 ** 15;

/** For weights that are rounded already: the copy of all classes, or room for a block of them. */
const prepared = new WeakMap<Float64Array, RowDots>();

function prepare(linear: LinearScores): RowDots {
  const known = prepared.get(linear.weights);
  if (known !== undefined) return known;
  const made = copyFor(linear);
  takeClasses(linear, made, 0, linear.numClasses);
  prepared.set(linear.weights, made);
  return made;
}

/** Weights rounded and copied between two turns of the host. */
const TURN_WEIGHTS = 2 ** 18;

/** What the first call of `linearScoresInto` does, with turns for the host: many classes take a twentieth of a second. */
export async function prepareLinearScores(
  linear: LinearScores,
  { yieldToHost, signal }: Pick<FitContext, 'yieldToHost' | 'signal'>,
): Promise<void> {
  const { weights, width, numClasses } = linear;
  if (prepared.has(weights)) return;
  const made = copyFor(linear);
  const step = Math.max(1, Math.floor(TURN_WEIGHTS / width));
  for (let first = 0; first < numClasses; first += step) {
    signal?.throwIfAborted();
    takeClasses(linear, made, first, Math.min(numClasses, first + step));
    await yieldToHost?.();
  }
  prepared.set(weights, made);
}

function copyFor({ weights, width, numClasses }: LinearScores): RowDots {
  const block = Math.max(1, Math.floor(BLOCK_WEIGHTS / width));
  return new RowDots(weights.length <= MOST_COPIED ? numClasses : block, width);
}

/** Rounds the weights of classes `[first, end)`, and copies them where all have room. */
function takeClasses(linear: LinearScores, to: RowDots, first: number, end: number): void {
  const { weights, width, numClasses } = linear;
  for (let c = first; c < end; c++) roundWeights(weights, c * width, width, BITS);
  if (to.out.length === numClasses) copyClasses(linear, first, end, to, first);
}

/** Copies the weights of classes `[first, end)` to the rows from `row` on. */
function copyClasses({ weights, width }: LinearScores, first: number, end: number, to: RowDots, row: number): void {
  const { rows, stride } = to;
  if (stride === width) {
    rows.set(weights.subarray(first * width, end * width), row * width);
    return;
  }
  for (let c = first; c < end; c++) {
    rows.set(weights.subarray(c * width, (c + 1) * width), (row + c - first) * stride);
  }
}

/**
 * Scores of queries, one after the other. Rounds `linear.weights` at the first call, and keeps them.
 * @param codes Int8Array, numQueries x width
 * @param out Float64Array, numQueries x numClasses, overwritten
 */
export function linearScoresInto(linear: LinearScores, codes: Int8Array, numQueries: number, out: Float64Array): void {
  const { width, numClasses, offsets } = linear;
  const dots = prepare(linear);
  const { x, out: products } = dots;
  const block = products.length;
  for (let first = 0; first < numClasses; first += block) {
    const count = Math.min(block, numClasses - first);
    if (block !== numClasses) copyClasses(linear, first, first + count, dots, 0);
    for (let q = 0; q < numQueries; q++) {
      const from = q * width;
      for (let j = 0; j < width; j++) x[j] = codes[from + j];
      dots.multiply();
      const at = q * numClasses + first;
      for (let c = 0; c < count; c++) out[at + c] = products[c] + offsets[first + c];
    }
  }
}

/**
 * The same scores, bit for bit, of many queries as one product.
 * @returns Float64Array, numQueries x numClasses; the caller owns it
 */
export async function linearScoresMany(
  linear: LinearScores,
  codes: Int8Array,
  numQueries: number,
  { gemm }: Pick<FitContext, 'gemm'>,
): Promise<Float64Array> {
  const { width, numClasses, weights, offsets } = linear;
  const out = new Float64Array(numQueries * numClasses);
  prepare(linear);
  if (numQueries < 4 || numQueries * numClasses * width < GEMM_WORK) {
    linearScoresInto(linear, codes, numQueries, out);
    return out;
  }
  const blockRows = Math.max(1, Math.floor(GEMM_SCORES / numClasses));
  for (let first = 0; first < numQueries; first += blockRows) {
    const rows = Math.min(blockRows, numQueries - first);
    const block = Float64Array.from(codes.subarray(first * width, (first + rows) * width));
    const products = await gemm.f64(block, weights, { m: rows, n: numClasses, k: width, transposeB: true });
    for (let i = 0; i < rows; i++) {
      const at = (first + i) * numClasses;
      for (let c = 0; c < numClasses; c++) out[at + c] = products[i * numClasses + c] + offsets[c];
    }
  }
  return out;
}
