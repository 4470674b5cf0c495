/** Inner products of one vector with every row of a fixed matrix in float64: WebAssembly SIMD, or typed arrays with the same bits. */

import { rowProductsModule, type RowProductsModule } from './row-products-module.ts';

/** Bytes up to which rows live in memory of the machine code, and numbers below which it is not worth an instance. */
const LARGEST_BYTES = 2 ** 28;
const SMALLEST = 512;

/**
 * A matrix of `count` x `stride`, zero at first: write `rows`, then `x`, then call `multiply`. Four sums a row, of the entries 0, 1, 2
 * and 3 modulo 4, added in that order: the same bits whichever way they are computed. Nothing is allocated after the constructor.
 */
export class RowDots {
  /** `columns` rounded up to a multiple of 4; what is beyond `columns` stays zero. */
  readonly stride: number;
  /** Float64Array, at least count x stride. */
  readonly rows: Float64Array<ArrayBuffer>;
  /** Float64Array, stride: the vector. */
  readonly x: Float64Array<ArrayBuffer>;
  /** Float64Array, count: what `multiply` found. */
  readonly out: Float64Array<ArrayBuffer>;
  readonly #module: RowProductsModule | undefined;

  /** @param smallest numbers from which machine code is asked for */
  constructor(count: number, columns: number, smallest = SMALLEST) {
    const stride = (columns + 3) & ~3;
    // Rows are multiplied four at a time.
    const fours = (count + 3) & ~3;
    const numbers = fours * stride + stride + fours;
    const wanted = numbers >= smallest && numbers * 8 <= LARGEST_BYTES;
    this.stride = stride;
    this.#module = wanted ? rowProductsModule(numbers * 8) : undefined;
    const buffer = this.#module?.buffer ?? new ArrayBuffer(numbers * 8);
    this.rows = new Float64Array(buffer, 0, fours * stride);
    this.x = new Float64Array(buffer, this.rows.byteLength, stride);
    this.out = new Float64Array(buffer, this.rows.byteLength + this.x.byteLength, count);
  }

  /** `out[i] = <rows_i, x>` for every row. */
  multiply(): void {
    const { stride, rows, x, out } = this;
    if (this.#module !== undefined) {
      this.#module.dots(0, stride * 8, out.length, x.byteOffset, stride, out.byteOffset);
      return;
    }
    for (let i = 0, at = 0; i < out.length; i++) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let j = 0; j < stride; j += 4, at += 4) {
        s0 += rows[at] * x[j];
        s1 += rows[at + 1] * x[j + 1];
        s2 += rows[at + 2] * x[j + 2];
        s3 += rows[at + 3] * x[j + 3];
      }
      out[i] = s0 + s1 + (s2 + s3);
    }
  }
}
