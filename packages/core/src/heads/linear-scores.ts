/**
 * Scores that are linear in the codes: one weight vector and one offset a class. Weights are rounded to 32 bits a class, so that every
 * product with int8 codes and every sum of them is exact in float64: one by one, in machine code or through any Gemm, scores are the
 * same bits.
 */

import type { FitContext } from '../head.ts';
import { RoundedRows } from '../linalg/rounded-rows.ts';

/** `score_c = sum_j weights[c, j] q_j + offsets[c]`, over the codes as they are stored. */
export interface LinearModel {
  readonly width: number;
  readonly numClasses: number;
  /** Float64Array, numClasses x width, row-major. */
  readonly weights: Float64Array;
  /** Float64Array, numClasses; absent: all 0. */
  readonly offsets?: Float64Array;
}

type Turns = Pick<FitContext, 'yieldToHost' | 'signal'>;

/** Queries and multiplications from which the Gemm is worth its doubles, which are made anew. */
const GEMM_QUERIES = 96;
const GEMM_WORK = 2 ** 21;
/** Multiplications that may take one turn of the host, some 20 ms: fewer queries go through the Gemm where they are more. */
const TURN_WORK = 2 ** 27;
/** Scores that one product gives at most, so that it stays small beside its inputs: 32 MB. */
const GEMM_SCORES = 2 ** 22;
/** Weights of a part: 16 MB as they are kept, 32 MB as doubles. */
const PART_WEIGHTS = 2 ** 22;
/** Weights that stay in the second-level cache while one query after the other is multiplied with them. */
const BLOCK_WEIGHTS = 2 ** 16;
/** Weights rounded between two turns of the host. */
const TURN_WEIGHTS = 2 ** 18;

const classesOf = (weights: number, width: number): number => 2 * Math.max(1, Math.floor(weights / width / 2));

export class LinearScores {
  readonly numClasses: number;
  readonly #width: number;
  readonly #offsets: Float64Array;
  /** `#partClasses` classes each, the last one what is left. */
  readonly #parts: readonly RoundedRows[];
  readonly #partClasses: number;

  private constructor({ width, numClasses, offsets }: LinearModel) {
    this.numClasses = numClasses;
    this.#width = width;
    this.#offsets = offsets ?? new Float64Array(numClasses);
    this.#partClasses = classesOf(PART_WEIGHTS, width);
    const parts = Math.ceil(numClasses / this.#partClasses);
    this.#parts = Array.from({ length: parts }, (_, part) => new RoundedRows(this.#countOf(part), width));
  }

  /** @param model its weights are copied, half as large */
  static async of(model: LinearModel, { yieldToHost, signal }: Turns): Promise<LinearScores> {
    const { width, numClasses, weights } = model;
    const made = new LinearScores(model);
    for (let c = 0, taken = 0; c < numClasses; c++) {
      made.#parts[Math.floor(c / made.#partClasses)].setRow(c % made.#partClasses, weights, c * width);
      taken += width;
      if (taken < TURN_WEIGHTS) continue;
      taken = 0;
      signal?.throwIfAborted();
      await yieldToHost?.();
    }
    return made;
  }

  #countOf(part: number): number {
    return Math.min(this.#partClasses, this.numClasses - part * this.#partClasses);
  }

  /**
   * Scores of queries, one after the other.
   * @param codes Int8Array, numQueries x width
   * @param out Float64Array, numQueries x numClasses, overwritten
   */
  scoresInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    const width = this.#width;
    const offsets = this.#offsets;
    const step = classesOf(BLOCK_WEIGHTS, width);
    for (const [p, part] of this.#parts.entries()) {
      const count = this.#countOf(p);
      for (let first = 0; first < count; first += step) {
        const block = Math.min(step, count - first);
        for (let q = 0; q < numQueries; q++) {
          if (first === 0 || numQueries > 1) part.x.set(codes.subarray(q * width, (q + 1) * width));
          part.multiply(first, block);
          const from = p * this.#partClasses + first;
          const at = q * this.numClasses + from;
          for (let c = 0; c < block; c++) out[at + c] = part.out[first + c] + offsets[from + c];
        }
      }
    }
  }

  /**
   * The same scores, bit for bit, of many queries: as products where they are enough.
   * @returns Float64Array, numQueries x numClasses; the caller owns it
   */
  async scores(codes: Int8Array, numQueries: number, { gemm }: Pick<FitContext, 'gemm'>): Promise<Float64Array> {
    const width = this.#width;
    const { numClasses } = this;
    const out = new Float64Array(numQueries * numClasses);
    const work = numQueries * numClasses * width;
    if (work < (numQueries < GEMM_QUERIES ? TURN_WORK : GEMM_WORK)) {
      this.scoresInto(codes, numQueries, out);
      return out;
    }
    for (const [p, part] of this.#parts.entries()) {
      const count = this.#countOf(p);
      const weights = new Float64Array(count * width);
      for (let c = 0; c < count; c++) part.readRow(c, weights, c * width);
      const offset = p * this.#partClasses;
      const blockRows = Math.max(1, Math.floor(GEMM_SCORES / count));
      for (let first = 0; first < numQueries; first += blockRows) {
        const rows = Math.min(blockRows, numQueries - first);
        const block = Float64Array.from(codes.subarray(first * width, (first + rows) * width));
        const products = await gemm.f64(block, weights, { m: rows, n: count, k: width, transposeB: true });
        for (let i = 0; i < rows; i++) {
          const at = (first + i) * numClasses + offset;
          for (let c = 0; c < count; c++) out[at + c] = products[i * count + c] + this.#offsets[offset + c];
        }
      }
    }
    return out;
  }
}
