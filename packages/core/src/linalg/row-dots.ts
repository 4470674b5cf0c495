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
  /** Float64Array, count x stride. */
  readonly rows: Float64Array<ArrayBuffer>;
  /** Float64Array, stride: the vector. */
  readonly x: Float64Array<ArrayBuffer>;
  /** Float64Array, count: what `multiply` found. */
  readonly out: Float64Array<ArrayBuffer>;
  readonly #module: RowProductsModule | undefined;

  /** @param smallest numbers from which machine code is asked for */
  constructor(count: number, columns: number, smallest = SMALLEST) {
    this.stride = (columns + 3) & ~3;
    const { stride } = this;
    const numbers = count * stride + stride + count;
    const wanted = numbers >= smallest && numbers * 8 <= LARGEST_BYTES;
    this.#module = wanted ? rowProductsModule(numbers * 8) : undefined;
    const buffer = this.#module?.buffer ?? new ArrayBuffer(numbers * 8);
    this.rows = new Float64Array(buffer, 0, count * stride);
    this.x = new Float64Array(buffer, this.rows.byteLength, stride);
    this.out = new Float64Array(buffer, this.rows.byteLength + this.x.byteLength, count);
  }

  /** `out[i] = <rows_i, x>` for rows `[first, first + count)`, over the first `columns` entries, a multiple of 4. */
  multiply(first: number, count: number, columns = this.stride): void {
    const { stride, rows, x, out } = this;
    if (this.#module !== undefined) {
      const at = first * stride * 8;
      this.#module.dots(at, stride * 8, count, x.byteOffset, columns, out.byteOffset + first * 8);
      return;
    }
    for (let i = first; i < first + count; i++) {
      let at = i * stride;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let j = 0; j < columns; j += 4, at += 4) {
        s0 += rows[at] * x[j];
        s1 += rows[at + 1] * x[j + 1];
        s2 += rows[at + 2] * x[j + 2];
        s3 += rows[at + 3] * x[j + 3];
      }
      out[i] = s0 + s1 + (s2 + s3);
    }
  }
}
