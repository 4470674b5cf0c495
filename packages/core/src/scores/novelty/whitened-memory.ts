/** The default novelty score. */
import type { FitContext, Memory } from '../../head.ts';
import { everyRow, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import { addressInto } from './memory-addressing.ts';
import { whitenInPlace, withinClassWhitening, type Whitening } from './within-class-whitening.ts';

/** MemAE's addressing temperature; 4 to 48 were measured, see the table above. */
const TEMPERATURE = 12;
/** Strangeness of an input at right angles to everything learned. */
const UNRELATED = 2;

export const whitenedMemory: NoveltyScore = {
  name: 'whitened-memory',
  async fit(memory: Memory, context: FitContext): Promise<FittedNovelty> {
    return new FittedWhitenedMemory(memory, await withinClassWhitening(memory, context));
  },
};

class FittedWhitenedMemory implements FittedNovelty {
  readonly #memory: Memory;
  readonly #whitening: Whitening;
  /** Float64Array, numClasses x dim: whitened class means, not normalised. */
  readonly #items: Float64Array;
  /** Float64Array, numClasses: their squared lengths. */
  readonly #squares: Float64Array;

  constructor(memory: Memory, whitening: Whitening) {
    const { numClasses, dim } = memory;
    this.#memory = memory;
    this.#whitening = whitening;
    this.#items = whitening.means.slice();
    this.#squares = new Float64Array(numClasses);
    for (let k = 0; k < numClasses; k++) {
      whitenInPlace(whitening, this.#items, k * dim);
      this.#squares[k] = dot(this.#items, k * dim, this.#items, k * dim, dim);
    }
  }

  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    const { dim, width, numClasses } = this.#memory;
    const items = this.#items;
    const squares = this.#squares;
    const query = new Float64Array(dim);
    const rebuilt = new Float64Array(dim);
    const similarities = new Float64Array(numClasses);
    const weights = new Float64Array(numClasses);
    for (let i = 0; i < numQueries; i++) {
      for (let j = 0; j < dim; j++) query[j] = codes[i * width + j];
      whitenInPlace(this.#whitening, query, 0);
      const square = dot(query, 0, query, 0, dim);
      for (let k = 0; k < numClasses; k++) {
        similarities[k] = cosine(dot(query, 0, items, k * dim, dim), square, squares[k]);
      }
      addressInto(similarities, numClasses, TEMPERATURE, 1 / numClasses, weights);
      rebuildInto(items, squares, weights, dim, rebuilt);
      out[i] = strangeness(similarities, weights, dot(rebuilt, 0, rebuilt, 0, dim));
    }
  }

  leaveOneOut(rows: Int32Array = everyRow(this.#memory.numExamples)): Float64Array<ArrayBuffer> {
    const { dim, width, numClasses, codes, classIndices, counts } = this.#memory;
    const items = this.#items;
    const squares = new Float64Array(numClasses);
    const query = new Float64Array(dim);
    const away = new Float64Array(dim);
    const rebuilt = new Float64Array(dim);
    const similarities = new Float64Array(numClasses);
    const weights = new Float64Array(numClasses);
    const out = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) {
      const home = classIndices[rows[r]];
      const count = counts[home];
      const at = home * dim;
      const numItems = count > 1 ? numClasses : numClasses - 1;
      if (numItems === 0) {
        out[r] = UNRELATED;
        continue;
      }
      for (let j = 0; j < dim; j++) query[j] = codes[rows[r] * width + j];
      whitenInPlace(this.#whitening, query, 0);
      // Without the example the scatter loses f u u' (u: its offset from its class mean, f = n / (n - 1)), which turns
      // every product <a, b> = a' (W + ridge I)^-1 b into <a, b> + gain <a, u> <b, u>.
      const mean = items.slice(at, at + dim);
      for (let j = 0; j < dim; j++) away[j] = query[j] - mean[j];
      const factor = count > 1 ? count / (count - 1) : 0;
      const gain = factor / (1 - factor * dot(away, 0, away, 0, dim));
      for (let j = 0; j < dim; j++) items[at + j] = mean[j] - away[j] * (factor - 1);

      const queryAway = dot(query, 0, away, 0, dim);
      const square = dot(query, 0, query, 0, dim) + gain * queryAway * queryAway;
      for (let k = 0; k < numClasses; k++) {
        const itemAway = gain === 0 ? 0 : dot(items, k * dim, away, 0, dim);
        const itemSquare = k === home ? dot(items, at, items, at, dim) : this.#squares[k];
        squares[k] = itemSquare + gain * itemAway * itemAway;
        similarities[k] = cosine(dot(query, 0, items, k * dim, dim) + gain * queryAway * itemAway, square, squares[k]);
      }
      if (count === 1) similarities[home] = -Infinity;
      addressInto(similarities, numClasses, TEMPERATURE, 1 / numItems, weights);
      rebuildInto(items, squares, weights, dim, rebuilt);
      const rebuiltAway = dot(rebuilt, 0, away, 0, dim);
      out[r] = strangeness(similarities, weights, dot(rebuilt, 0, rebuilt, 0, dim) + gain * rebuiltAway * rebuiltAway);
      items.set(mean, at);
    }
    return out;
  }
}

/** `rebuilt = sum of weight * item / |item|`, over the items addressed. */
function rebuildInto(
  items: Float64Array,
  squares: Float64Array,
  weights: Float64Array,
  dim: number,
  rebuilt: Float64Array,
): void {
  rebuilt.fill(0);
  for (let k = 0; k < weights.length; k++) {
    if (weights[k] === 0 || squares[k] === 0) continue;
    const factor = weights[k] / Math.sqrt(squares[k]);
    const at = k * dim;
    for (let j = 0; j < dim; j++) rebuilt[j] += factor * items[at + j];
  }
}

/** `(1 - cosine to the nearest item) + (1 - cosine to the rebuilt query)`; `rebuiltSquare` is the rebuilt query's squared length. */
function strangeness(similarities: Float64Array, weights: Float64Array, rebuiltSquare: number): number {
  let nearest = -1;
  let along = 0;
  for (let k = 0; k < similarities.length; k++) {
    if (similarities[k] > nearest) nearest = similarities[k];
    if (weights[k] > 0) along += weights[k] * similarities[k];
  }
  const rebuilt = rebuiltSquare > 0 ? along / Math.sqrt(rebuiltSquare) : 0;
  return 2 - nearest - rebuilt;
}

/** A cosine from an inner product and two squared lengths; 0 where a length is. */
function cosine(product: number, squareA: number, squareB: number): number {
  const squares = squareA * squareB;
  return squares > 0 ? product / Math.sqrt(squares) : 0;
}

/** Four partial sums keep the processor's adders busy; the order is fixed, so results are equal bit for bit. */
function dot(a: Float64Array, offsetA: number, b: Float64Array, offsetB: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let j = 0;
  for (; j + 3 < n; j += 4) {
    s0 += a[offsetA + j] * b[offsetB + j];
    s1 += a[offsetA + j + 1] * b[offsetB + j + 1];
    s2 += a[offsetA + j + 2] * b[offsetB + j + 2];
    s3 += a[offsetA + j + 3] * b[offsetB + j + 3];
  }
  for (; j < n; j++) s0 += a[offsetA + j] * b[offsetB + j];
  return s0 + s1 + (s2 + s3);
}
