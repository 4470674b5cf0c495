/**
 * Distance from the k-th nearest example: `1 - k-th highest cosine`. Sun, Ming, Zhu, Li 2022 (Out-of-Distribution
 * Detection with Deep Nearest Neighbors), equation 4, on unit-length embeddings, where their Euclidean distance is a
 * monotone function of the cosine.
 */

import type { FitContext, Memory } from '../../head.ts';
import { codeProduct, cosine } from '../dot-product.ts';
import { everyRow, UNRELATED, type FittedNovelty, type NoveltyScore } from '../novelty.ts';

/** @param neighbours k, a positive integer; with fewer examples than that the farthest of them counts. Default 5 */
export function nearestExamplesNovelty(neighbours = 5): NoveltyScore {
  return {
    name: `nearest-${neighbours}-examples`,
    async fit(memory: Memory, _context: FitContext): Promise<FittedNovelty> {
      return new FittedNearestExamples(memory, neighbours);
    },
  };
}

class FittedNearestExamples implements FittedNovelty {
  readonly #memory: Memory;
  readonly #neighbours: number;
  readonly #squares: Float64Array;
  /** Float64Array, neighbours: the highest cosines so far, descending. */
  readonly #highest: Float64Array;

  constructor(memory: Memory, neighbours: number) {
    const { numExamples, width, dim, codes } = memory;
    this.#memory = memory;
    this.#neighbours = neighbours;
    this.#squares = new Float64Array(numExamples);
    for (let i = 0; i < numExamples; i++) this.#squares[i] = codeProduct(codes, i * width, codes, i * width, dim);
    this.#highest = new Float64Array(neighbours);
  }

  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    for (let i = 0; i < numQueries; i++) out[i] = this.#strangeness(codes, i * this.#memory.width, -1);
  }

  leaveOneOut(rows: Int32Array = everyRow(this.#memory.numExamples)): Float64Array<ArrayBuffer> {
    const { codes, width } = this.#memory;
    const out = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) out[r] = this.#strangeness(codes, rows[r] * width, rows[r]);
    return out;
  }

  #strangeness(queries: Int8Array, offset: number, without: number): number {
    const { numExamples, width, dim, codes } = this.#memory;
    const highest = this.#highest;
    const squares = this.#squares;
    const k = Math.min(this.#neighbours, without < 0 ? numExamples : numExamples - 1);
    if (k === 0) return UNRELATED;
    highest.fill(-Infinity);
    const square = codeProduct(queries, offset, queries, offset, dim);
    for (let i = 0; i < numExamples; i++) {
      if (i === without) continue;
      const similarity = cosine(codeProduct(queries, offset, codes, i * width, dim), square, squares[i]);
      if (similarity <= highest[k - 1]) continue;
      let at = k - 1;
      for (; at > 0 && highest[at - 1] < similarity; at--) highest[at] = highest[at - 1];
      highest[at] = similarity;
    }
    return 1 - highest[k - 1];
  }
}
