/**
 * Groups of examples (the classes, or all examples as one group) in coordinates where their members scatter alike in
 * every direction: inner products `<a, b> = a' (W + ridge I)^-1 b`, W the groups' pooled scatter matrix over the first
 * tap of the codes. The ridge is a prior that does not look at the data: it is worth `dim` examples whose variance
 * within a group is half of an embedding's squared length, spread evenly,
 *
 *     ridge = scale^2 / 2,   scale = sqrt(dim) * 127 / 6
 *
 * so that leaving one example out changes W + ridge I by rank one, and leave-one-out is exact (Sherman & Morrison
 * 1950).
 */

import type { FitContext, Memory } from '../../head.ts';
import { choleskyFactor } from '../../linalg/cholesky.ts';
import { inverseLower } from '../../linalg/cholesky-solve.ts';
import { codeScale } from '../../memory/codes.ts';
import { dotProduct } from '../dot-product.ts';
import { CodeForms } from './code-forms.ts';
import { whitenFew, type FewWhitening } from './few-examples.ts';
import { firstTapGram, firstTapMeans } from './first-tap.ts';

/** The prior scatter in every direction, in code units: `scale^2 / 2`. */
export function groupRidge(dim: number): number {
  const scale = codeScale(dim);
  return (scale * scale) / 2;
}

/** Whitened examples and their inner products with all means, row by row. */
export interface ExampleProducts {
  /** Float64Array, rows x dim. */
  readonly queries: Float64Array;
  /** Float64Array, rows x dim: the examples less their own group's mean, whitened. */
  readonly aways: Float64Array;
  /** Float64Array, rows x numGroups: `<x, mean>`. */
  readonly queryProducts: Float64Array;
  /** Float64Array, rows x numGroups: `<x - own mean, mean>`. */
  readonly awayProducts: Float64Array;
}

export class WhitenedGroups {
  readonly numGroups: number;
  /** Degrees of freedom of W plus the prior's `dim` examples: `W + ridge I` over this is a covariance. */
  readonly weight: number;
  /** Squared length `<x, x>` of the query read last. */
  square = 0;
  /** Float64Array, numGroups: `<x, mean of group k>`. */
  readonly products: Float64Array;
  /** Float64Array, numGroups: `<mean, mean>`; after `readExample`, without that example. */
  readonly squares: Float64Array;

  readonly #memory: Memory;
  readonly #counts: Int32Array;
  readonly #whitening: Whitening;
  /** Float64Array, (numGroups + 1) x dim: whitened means; the last row stands in for the group that lost an example. */
  readonly #means: Float64Array;
  readonly #fullSquares: Float64Array;
  readonly #query: Float64Array;
  readonly #away: Float64Array;
  #gain = 0;
  #home = -1;

  private constructor(memory: Memory, counts: Int32Array, whitening: Whitening, whitenedMeans: Float64Array) {
    const { dim, numExamples } = memory;
    this.numGroups = counts.length;
    this.weight = numExamples - counts.length + dim;
    this.products = new Float64Array(counts.length);
    this.squares = new Float64Array(counts.length);
    this.#memory = memory;
    this.#counts = counts;
    this.#whitening = whitening;
    this.#means = new Float64Array((counts.length + 1) * dim);
    this.#fullSquares = new Float64Array(counts.length);
    this.#query = new Float64Array(dim);
    this.#away = new Float64Array(dim);
    this.#means.set(whitenedMeans);
    for (let k = 0; k < counts.length; k++) {
      this.#fullSquares[k] = dotProduct(this.#means, k * dim, this.#means, k * dim, dim);
    }
  }

  /** The classes, pooled scatter about their means. */
  static async ofClasses(memory: Memory, context: FitContext): Promise<WhitenedGroups> {
    return WhitenedGroups.#of(memory, memory.counts, firstTapMeans(memory), context);
  }

  /** All examples as one group, scatter about the mean of all. */
  static async ofAll(memory: Memory, context: FitContext): Promise<WhitenedGroups> {
    const { dim, width, numClasses, numExamples, sums } = memory;
    const mean = new Float64Array(dim);
    for (let k = 0; k < numClasses; k++) {
      for (let j = 0; j < dim; j++) mean[j] += sums[k * width + j] / numExamples;
    }
    return WhitenedGroups.#of(memory, Int32Array.of(numExamples), mean, context);
  }

  static async #of(
    memory: Memory,
    counts: Int32Array,
    means: Float64Array,
    context: FitContext,
  ): Promise<WhitenedGroups> {
    const { dim } = memory;
    const whitening = await whiteningOf(memory, counts, means, context);
    const shape = { m: counts.length, n: dim, k: dim, transposeB: true };
    const whitened = await context.gemm.f64(means, whitening.whitening, shape);
    return new WhitenedGroups(memory, counts, whitening, whitened);
  }

  /** Reads a query: fills `square`, `products` and `squares`. */
  readQuery(codes: Int8Array, offset: number): void {
    const { dim } = this.#memory;
    const raw = Float64Array.from(codes.subarray(offset, offset + dim));
    const query = this.#query;
    const { whitening, few } = this.#whitening;
    // Above the diagonal an inverse factor is zero.
    for (let i = 0; i < dim; i++) query[i] = dotProduct(whitening, i * dim, raw, 0, few ? dim : i + 1);
    for (let k = 0; k < this.numGroups; k++) this.products[k] = dotProduct(this.#means, k * dim, query, 0, dim);
    this.#home = -1;
    this.#gain = 0;
    this.square = dotProduct(query, 0, query, 0, dim);
    this.squares.set(this.#fullSquares);
  }

  /** What `readExample` needs of many examples, through the Gemm: four products instead of two scalar ones a row. */
  async productsOf(rows: Int32Array, { gemm }: FitContext): Promise<ExampleProducts> {
    const { dim, width, codes, classIndices } = this.#memory;
    const means = this.#means.subarray(0, this.numGroups * dim);
    const raw = new Float64Array(rows.length * dim);
    for (let r = 0; r < rows.length; r++) {
      for (let j = 0; j < dim; j++) raw[r * dim + j] = codes[rows[r] * width + j];
    }
    const whitened = { m: rows.length, n: dim, k: dim, transposeB: true };
    const queries = await gemm.f64(raw, this.#whitening.whitening, whitened);
    const aways = queries.slice();
    for (let r = 0; r < rows.length; r++) {
      const home = this.numGroups === 1 ? 0 : classIndices[rows[r]];
      for (let j = 0; j < dim; j++) aways[r * dim + j] -= means[home * dim + j];
    }
    const shape = { m: rows.length, n: this.numGroups, k: dim, transposeB: true };
    const queryProducts = await gemm.f64(queries, means, shape);
    return { queries, aways, queryProducts, awayProducts: await gemm.f64(aways, means, shape) };
  }

  /**
   * Reads example `row` of the memory as a query to everything but itself. Returns `weight` without it and the group
   * that is left empty (its `products` and `squares` are 0), or -1.
   * @param block what `productsOf` returned for rows among which this one is the `at`-th; absent: computed here
   */
  readExample(row: number, block?: ExampleProducts, at = 0): { readonly weight: number; readonly emptied: number } {
    const { dim, width, codes, classIndices } = this.#memory;
    const home = this.numGroups === 1 ? 0 : classIndices[row];
    const count = this.#counts[home];
    if (block === undefined) {
      this.readQuery(codes, row * width);
    } else {
      this.#query.set(block.queries.subarray(at * dim, (at + 1) * dim));
      this.square = dotProduct(this.#query, 0, this.#query, 0, dim);
      this.products.set(block.queryProducts.subarray(at * this.numGroups, (at + 1) * this.numGroups));
      this.squares.set(this.#fullSquares);
      this.#gain = 0;
      this.#home = -1;
    }
    if (count === 1) {
      this.products[home] = 0;
      this.squares[home] = 0;
      return { weight: this.weight, emptied: home };
    }
    // The scatter loses factor * u u', u the example's offset from its group's mean, so by Sherman and Morrison
    // every <a, b> gains  gain * <a, u> <b, u>.
    const means = this.#means;
    const query = this.#query;
    const away = this.#away;
    const stand = this.numGroups * dim;
    for (let j = 0; j < dim; j++) {
      away[j] = query[j] - means[home * dim + j];
      means[stand + j] = means[home * dim + j] - away[j] / (count - 1);
    }
    const factor = count / (count - 1);
    const gain = factor / (1 - factor * dotProduct(away, 0, away, 0, dim));
    const queryAway = dotProduct(query, 0, away, 0, dim);
    this.products[home] = dotProduct(query, 0, means, stand, dim);
    this.squares[home] = dotProduct(means, stand, means, stand, dim);
    for (let k = 0; k < this.numGroups; k++) {
      const meanAway =
        block !== undefined && k !== home
          ? block.awayProducts[at * this.numGroups + k]
          : dotProduct(means, k === home ? stand : k * dim, away, 0, dim);
      this.products[k] += gain * queryAway * meanAway;
      this.squares[k] += gain * meanAway * meanAway;
    }
    this.square += gain * queryAway * queryAway;
    this.#gain = gain;
    this.#home = home;
    return { weight: this.weight - 1, emptied: -1 };
  }

  /** The same of single queries alone, faster. Groups are classes. */
  codeForms(context: FitContext): Promise<CodeForms> {
    const { dim } = this.#memory;
    const means = this.#means.subarray(0, this.numGroups * dim);
    const squareOfSum = (factors: Float64Array, scratch: Float64Array): number => {
      this.#home = -1;
      this.#gain = 0;
      return this.squareOfSum(factors, scratch);
    };
    const whitened = {
      ...this.#whitening,
      means,
      squares: this.#fullSquares,
      ridge: groupRidge(dim),
      squareOfSum,
    };
    return CodeForms.of(this.#memory, whitened, context);
  }

  /** By how much products along the example read last have grown since it was left out; 0 for queries. */
  get gain(): number {
    return this.#gain;
  }

  /**
   * `squareOfSum` of many examples through the Gemm.
   * @param block what `productsOf` returned for these rows
   * @param factors Float64Array, rows x numGroups
   * @param gains Float64Array, rows: `gain` as each was read
   */
  async squaresOfSums(
    rows: Int32Array,
    { aways }: ExampleProducts,
    factors: Float64Array,
    gains: Float64Array,
    { gemm }: FitContext,
  ): Promise<Float64Array> {
    const { dim, classIndices } = this.#memory;
    const { numGroups } = this;
    const means = this.#means.subarray(0, numGroups * dim);
    const sums = await gemm.f64(factors, means, { m: rows.length, n: dim, k: numGroups });
    const squares = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) {
      const home = numGroups === 1 ? 0 : classIndices[rows[r]];
      const count = this.#counts[home];
      // The own group's mean, without the example, is away / (count - 1) less.
      const back = count > 1 ? factors[r * numGroups + home] / (count - 1) : 0;
      let square = 0;
      let along = 0;
      for (let at = r * dim; at < (r + 1) * dim; at++) {
        const x = sums[at] - back * aways[at];
        square += x * x;
        along += x * aways[at];
      }
      squares[r] = square + gains[r] * along * along;
    }
    return squares;
  }

  /** Squared length of `sum of factors[k] * mean of group k`, as the last read query sees it. */
  squareOfSum(factors: Float64Array, scratch: Float64Array): number {
    const { dim } = this.#memory;
    scratch.fill(0);
    for (let k = 0; k < this.numGroups; k++) {
      const factor = factors[k];
      if (factor === 0) continue;
      const at = (k === this.#home ? this.numGroups : k) * dim;
      for (let j = 0; j < dim; j++) scratch[j] += factor * this.#means[at + j];
    }
    const sumAway = this.#gain === 0 ? 0 : dotProduct(scratch, 0, this.#away, 0, dim);
    return dotProduct(scratch, 0, scratch, 0, dim) + this.#gain * sumAway * sumAway;
  }
}

/** What makes `(W + ridge I)^-1` an inner product: T, dim x dim, with U of few-examples.ts or else lower triangular. */
type Whitening = FewWhitening | { readonly whitening: Float64Array; readonly few?: undefined };

/** Of few examples by themselves, else the inverse Cholesky factor: n dim^2 in the Gemm and 2 dim^3 / 3. */
async function whiteningOf(
  memory: Memory,
  counts: Int32Array,
  means: Float64Array,
  context: FitContext,
): Promise<Whitening> {
  const { dim } = memory;
  const ridge = groupRidge(dim);
  if (2 * memory.numExamples < dim) return whitenFew(memory, means, ridge, context);
  const scatter = await firstTapGram(memory, context);
  const weighted = new Float64Array(means.length);
  for (let i = 0; i < means.length; i++) weighted[i] = counts[Math.floor(i / dim)] * means[i];
  const between = await context.gemm.f64(weighted, means, { m: dim, n: dim, k: counts.length, transposeA: true });
  for (let i = 0; i < scatter.length; i++) scatter[i] -= between[i];
  const factor = await choleskyFactor(scatter, dim, context, ridge);
  return { whitening: await inverseLower(factor, context) };
}
