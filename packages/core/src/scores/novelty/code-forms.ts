/**
 * What `WhitenedGroups` says of single queries, several times faster: products with the group means as rows of numbers times the query's
 * codes, and the quadratic form `x' (W + ridge I)^-1 x` as the squared length of a few rows times the codes. Of n examples, W has at
 * most rank n: where that is under half of the dimension, by Woodbury's identity with `W = Z' Z`, Z the examples' deviations from their
 * means,
 *
 *     x' (Z' Z + ridge I)^-1 x = (|x|^2 - |U x|^2) / ridge,   U = L^-1 Z,   L L' = Z Z' + ridge I
 *
 * else with the inverse Cholesky factor, `|L^-1 x|^2`. Rows are rounded to 32 bits: cosines differ by some 1e-10.
 */

import type { FitContext, Memory } from '../../head.ts';
import { choleskyFactor } from '../../linalg/cholesky.ts';
import { solveLower } from '../../linalg/cholesky-solve.ts';
import { RoundedRows } from '../../linalg/rounded-rows.ts';
import { codeProduct } from '../dot-product.ts';
import { firstTapMeans } from './first-tap.ts';

/** Groups up to which inner products of the means are kept, a square of numbers. */
const MOST_PRODUCTS = 256;
/** Rows of the triangular factor that are multiplied together, even. */
const BAND = 16;

/** Whitened class means, and what whitens. */
export interface Whitened {
  /** Float64Array, dim x dim: inverse of the Cholesky factor L of `W + ridge I`, lower triangular. */
  readonly whitening: Float64Array;
  /** Float64Array, numClasses x dim: `L^-1 mean`. */
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
    { whitening, squares, ridge, squareOfSum }: Whitened,
    directions: Float64Array,
    deviations: Float64Array | undefined,
    between: Float64Array | undefined,
  ) {
    this.numGroups = numClasses;
    this.products = new Float64Array(numClasses);
    this.squares = squares;
    this.#dim = dim;
    this.#sumOfMany = squareOfSum;
    this.#between = between;
    this.#ridge = deviations && ridge;
    this.#diagonal = Float64Array.from({ length: dim }, (_, i) => whitening[i * dim + i]);
    const count = deviations ? deviations.length / dim : dim;
    this.#first = (count + 1) & ~1;
    this.#rows = new RoundedRows(this.#first + numClasses, dim);
    // Rows are rounded in place.
    const form = deviations ?? whitening.slice();
    for (let i = 0; i < count; i++) this.#rows.setRow(i, form, i * dim, deviations ? dim : i);
    for (let k = 0; k < numClasses; k++) this.#rows.setRow(this.#first + k, directions, k * dim);
  }

  static async of(memory: Memory, whitened: Whitened, context: FitContext): Promise<CodeForms> {
    const { dim, numClasses, numExamples } = memory;
    const { whitening, means, ridge } = whitened;
    const shape = { m: numClasses, n: dim, k: dim };
    const directions = await context.gemm.f64(means, whitening, shape);
    const between =
      numClasses <= MOST_PRODUCTS
        ? await context.gemm.f64(means, means, { m: numClasses, n: numClasses, k: dim, transposeB: true })
        : undefined;
    const deviations = 2 * numExamples < dim ? await deviationRows(memory, ridge, context) : undefined;
    return new CodeForms(memory, whitened, directions, deviations, between);
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

/** U above, numExamples x dim. */
async function deviationRows(memory: Memory, ridge: number, context: FitContext): Promise<Float64Array> {
  const { codes, classIndices, width, dim, numExamples } = memory;
  const means = firstTapMeans(memory);
  const deviations = new Float64Array(numExamples * dim);
  inCodeOrder(memory).forEach((i, at) => {
    const mean = classIndices[i] * dim;
    for (let j = 0; j < dim; j++) deviations[at * dim + j] = codes[i * width + j] - means[mean + j];
  });
  const shape = { m: numExamples, n: numExamples, k: dim, transposeB: true };
  const products = await context.gemm.f64(deviations, deviations, shape);
  const factor = await choleskyFactor(products, numExamples, context, ridge);
  return solveLower(factor, deviations, dim, context);
}

/** Examples by class and first tap, so that bits do not depend on their order. */
function inCodeOrder({ codes, classIndices, width, dim }: Memory): Int32Array {
  return Int32Array.from(classIndices.keys()).sort((a, b) => {
    let order = classIndices[a] - classIndices[b];
    for (let j = 0; order === 0 && j < dim; j++) order = codes[a * width + j] - codes[b * width + j];
    return order;
  });
}
