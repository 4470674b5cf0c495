/**
 * MemAE's memory over class prototypes: how far an embedding is from its sparse reconstruction. Gong et al. 2019
 * (Memorizing Normality to Detect Anomaly), equations 3 to 8: `|x - x^|^2`, x of unit length and `x^ = sum_k w_k p_k`
 * of unit-length prototypes. Where we differ: the memory holds class prototypes and is not trained, and the addressing
 * has a temperature (memory-addressing.ts).
 */

import type { FitContext, Memory } from '../../head.ts';
import { cosine, dotProduct } from '../dot-product.ts';
import { everyRow, UNRELATED, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import { firstTapMeans } from './first-tap.ts';
import { addressInto } from './memory-addressing.ts';

/** @param temperature at least 4; default 8, the best of 4, 8, 12, 16 and 32 on Caltech-101 against textures */
export function sparseMemory(temperature = 8): NoveltyScore {
  return {
    name: 'sparse-memory',
    async fit(memory: Memory, _context: FitContext): Promise<FittedNovelty> {
      return new FittedSparseMemory(memory, temperature);
    },
  };
}

class FittedSparseMemory implements FittedNovelty {
  readonly #memory: Memory;
  readonly #temperature: number;
  /** Float64Array, numClasses x dim: class means, in code units. */
  readonly #means: Float64Array;
  readonly #query: Float64Array;
  readonly #rebuilt: Float64Array;
  readonly #similarities: Float64Array;
  readonly #squares: Float64Array;
  readonly #weights: Float64Array;

  constructor(memory: Memory, temperature: number) {
    const { numClasses, dim } = memory;
    this.#memory = memory;
    this.#temperature = temperature;
    this.#means = firstTapMeans(memory);
    this.#query = new Float64Array(dim);
    this.#rebuilt = new Float64Array(dim);
    this.#similarities = new Float64Array(numClasses);
    this.#squares = new Float64Array(numClasses);
    this.#weights = new Float64Array(numClasses);
    for (let k = 0; k < numClasses; k++) this.#squares[k] = dotProduct(this.#means, k * dim, this.#means, k * dim, dim);
  }

  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    for (let i = 0; i < numQueries; i++) out[i] = this.#strangeness(codes, i * this.#memory.width, -1);
  }

  leaveOneOut(rows: Int32Array = everyRow(this.#memory.numExamples)): Float64Array<ArrayBuffer> {
    const { dim, width, numClasses, codes, classIndices, counts } = this.#memory;
    const out = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) {
      const home = classIndices[rows[r]];
      const at = rows[r] * width;
      if (counts[home] === 1) {
        out[r] = numClasses > 1 ? this.#strangeness(codes, at, home) : 2 * UNRELATED;
        continue;
      }
      const mean = this.#means.slice(home * dim, (home + 1) * dim);
      const square = this.#squares[home];
      for (let j = 0; j < dim; j++)
        this.#means[home * dim + j] = mean[j] + (mean[j] - codes[at + j]) / (counts[home] - 1);
      this.#squares[home] = dotProduct(this.#means, home * dim, this.#means, home * dim, dim);
      out[r] = this.#strangeness(codes, at, -1);
      this.#means.set(mean, home * dim);
      this.#squares[home] = square;
    }
    return out;
  }

  #strangeness(codes: Int8Array, offset: number, without: number): number {
    const { dim, numClasses } = this.#memory;
    const query = this.#query;
    const rebuilt = this.#rebuilt;
    for (let j = 0; j < dim; j++) query[j] = codes[offset + j];
    const length = Math.sqrt(dotProduct(query, 0, query, 0, dim)) || 1;
    for (let j = 0; j < dim; j++) query[j] /= length;
    for (let k = 0; k < numClasses; k++) {
      const product = dotProduct(query, 0, this.#means, k * dim, dim);
      this.#similarities[k] = k === without ? -Infinity : cosine(product, 1, this.#squares[k]);
    }
    const numItems = without < 0 ? numClasses : numClasses - 1;
    addressInto(this.#similarities, numClasses, this.#temperature, 1 / numItems, this.#weights);
    rebuilt.fill(0);
    for (let k = 0; k < numClasses; k++) {
      if (this.#weights[k] === 0 || this.#squares[k] === 0) continue;
      const factor = this.#weights[k] / Math.sqrt(this.#squares[k]);
      for (let j = 0; j < dim; j++) rebuilt[j] += factor * this.#means[k * dim + j];
    }
    let distance = 0;
    for (let j = 0; j < dim; j++) distance += (query[j] - rebuilt[j]) * (query[j] - rebuilt[j]);
    return distance;
  }
}
