/**
 * Cosines of an embedding's first tap with the class prototypes (class sums), from exact integers; with and without one
 * example.
 */

import type { Memory } from '../../head.ts';
import { codeProduct, cosine } from '../dot-product.ts';

export class PrototypeCosines {
  /** Float64Array, numClasses: cosines of the query read last; -Infinity for a class that is left empty. */
  readonly cosines: Float64Array;
  readonly #memory: Memory;
  /** Float64Array, numClasses: squared length of each class sum's first tap. */
  readonly #squares: Float64Array;

  constructor(memory: Memory) {
    const { numClasses, dim, width, sums } = memory;
    this.#memory = memory;
    this.cosines = new Float64Array(numClasses);
    this.#squares = new Float64Array(numClasses);
    for (let k = 0; k < numClasses; k++) {
      let square = 0;
      for (let j = k * width; j < k * width + dim; j++) square += sums[j] * sums[j];
      this.#squares[k] = square;
    }
  }

  /** Reads a query: fills `cosines`. */
  readQuery(codes: Int8Array, offset: number): void {
    const { numClasses, dim } = this.#memory;
    const square = codeProduct(codes, offset, codes, offset, dim);
    for (let k = 0; k < numClasses; k++)
      this.cosines[k] = cosine(this.#product(codes, offset, k), square, this.#squares[k]);
  }

  /** Reads example `row` as a query to everything but itself. */
  readExample(row: number): void {
    const { dim, width, codes, classIndices, counts } = this.#memory;
    const offset = row * width;
    const home = classIndices[row];
    this.readQuery(codes, offset);
    const square = codeProduct(codes, offset, codes, offset, dim);
    const product = this.#product(codes, offset, home);
    // (sum - x) x and |sum - x|^2.
    this.cosines[home] =
      counts[home] > 1 ? cosine(product - square, square, this.#squares[home] - 2 * product + square) : -Infinity;
  }

  #product(codes: Int8Array, offset: number, classIndex: number): number {
    const { dim, width, sums } = this.#memory;
    const at = classIndex * width;
    let product = 0;
    for (let j = 0; j < dim; j++) product += codes[offset + j] * sums[at + j];
    return product;
  }
}
