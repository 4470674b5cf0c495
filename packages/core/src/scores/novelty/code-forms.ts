/**
 * What `WhitenedGroups` says of single queries, several times faster: products with the group means as rows of numbers times the query's
 * codes, and the quadratic form `x' (W + ridge I)^-1 x` as the squared length of a few rows times the codes: of few examples
 * `(|x|^2 - |U x|^2) / ridge` with the U of few-examples.ts, else `|L^-1 x|^2` with the inverse Cholesky factor. Rows are rounded to
 * 32 bits: cosines differ by some 1e-10.
 */

import type { FitContext, Memory } from '../../head.ts';
import { RoundedRows } from '../../linalg/rounded-rows.ts';
import { codeProduct } from '../dot-product.ts';

/** Groups up to which inner products of the means are kept, a square of numbers. */
const MOST_PRODUCTS = 256;
/** Rows of the triangular factor that are multiplied together, even. */
const BAND = 16;

/** Whitened class means, and what whitens. */
export interface Whitened {
  /** Float64Array, dim x dim: `T' T` is the inverse of `W + ridge I`; lower triangular where `few` is absent. */
  readonly whitening: Float64Array;
  /** Float64Array, numExamples x dim: U, of few examples. */
  readonly few?: Float64Array | undefined;
  /** Float64Array, numClasses x dim: `T mean`. */
  readonly means: Float64Array;
  /** Float64Array, numClasses: their squared lengths. */
  readonly squares: Float64Array;
  readonly ridge: number;
  /** `CodeForms.squareOfSum`, for any number of classes. */
  squareOfSum(factors: Float64Array, scratch: Float64Array): number;
}

export class CodeForms {
  readonly numGroups: number;
  /** Squared length of the query read last. */
  square = 0;
  /** Float64Array, numClasses: its products with the means. */
  readonly products: Float64Array;
  /** Float64Array, numClasses: squared lengths of the means. */
  readonly squares: Float64Array;
  readonly #dim: number;
  readonly #sumOfMany: Whitened['squareOfSum'];
  /** Float64Array, numClasses x numClasses: `<mean, mean>`, where classes are few. */
  readonly #between: Float64Array | undefined;
  /** First those of the quadratic form, then, from `#first` on, those of the means. */
  readonly #rows: RoundedRows;
  readonly #first: number;
  /** The ridge, where the form is Woodbury's. */
  readonly #ridge: number | undefined;
  /** Float64Array, dim: the triangular factor's diagonal. It outweighs the rest of its row, which is rounded without it. */
  readonly #diagonal: Float64Array;

  private constructor(
    { dim, numClasses }: Memory,
    { whitening, few, squares, ridge, squareOfSum }: Whitened,
    directions: Float64Array,
    between: Float64Array | undefined,
  ) {
    this.numGroups = numClasses;
    this.products = new Float64Array(numClasses);
    this.squares = squares;
    this.#dim = dim;
    this.#sumOfMany = squareOfSum;
    this.#between = between;
    this.#ridge = few && ridge;
    this.#diagonal = Float64Array.from({ length: dim }, (_, i) => whitening[i * dim + i]);
    const count = few ? few.length / dim : dim;
    this.#first = (count + 1) & ~1;
    this.#rows = new RoundedRows(this.#first + numClasses, dim);
    const form = few ?? whitening;
    for (let i = 0; i < count; i++) this.#rows.setRow(i, form, i * dim, few ? dim : i);
    for (let k = 0; k < numClasses; k++) this.#rows.setRow(this.#first + k, directions, k * dim);
  }

  static async of(memory: Memory, whitened: Whitened, context: FitContext): Promise<CodeForms> {
    const { dim, numClasses } = memory;
    const { whitening, means } = whitened;
    const shape = { m: numClasses, n: dim, k: dim };
    const directions = await context.gemm.f64(means, whitening, shape);
    const between =
      numClasses <= MOST_PRODUCTS
        ? await context.gemm.f64(means, means, { m: numClasses, n: numClasses, k: dim, transposeB: true })
        : undefined;
    return new CodeForms(memory, whitened, directions, between);
  }

  /** Reads a query: fills `square` and `products`. */
  read(codes: Int8Array, offset: number): void {
    const dim = this.#dim;
    const rows = this.#rows;
    const first = this.#first;
    const numGroups = this.numGroups;
    const { products } = this;
    const { out } = rows;
    rows.x.set(codes.subarray(offset, offset + dim));
    let square = 0;
    if (this.#ridge !== undefined) {
      rows.multiply(0, first + numGroups);
      for (let i = 0; i < first; i++) square += out[i] * out[i];
      this.square = (codeProduct(codes, offset, codes, offset, dim) - square) / this.#ridge;
    } else {
      // Above the diagonal the factor is zero: each band of rows ends with its last one's diagonal.
      for (let i = 0; i < dim; i += BAND) rows.multiply(i, Math.min(BAND, dim - i), Math.min(i + BAND, dim));
      rows.multiply(first, numGroups);
      const diagonal = this.#diagonal;
      for (let i = 0; i < dim; i++) {
        const z = out[i] + diagonal[i] * codes[offset + i];
        square += z * z;
      }
      this.square = square;
    }
    for (let k = 0; k < numGroups; k++) products[k] = out[first + k];
  }

  /** Squared length of `sum of factors[k] * mean of group k`. @param scratch Float64Array, dim */
  squareOfSum(factors: Float64Array, scratch: Float64Array): number {
    const { numGroups } = this;
    const between = this.#between;
    if (between === undefined) return this.#sumOfMany(factors, scratch);
    let sum = 0;
    for (let k = 0; k < numGroups; k++) {
      if (factors[k] === 0) continue;
      let along = 0;
      for (let l = 0; l < numGroups; l++) along += factors[l] * between[k * numGroups + l];
      sum += factors[k] * along;
    }
    return sum;
  }
}
