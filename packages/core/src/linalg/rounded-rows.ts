/**
 * Rows of weights for inner products with int8 codes at twice the speed of float64. Each is rounded to whole multiples of a power of
 * two, 32 bits for its largest weight, so that every product and every sum of them is exact: in machine code, on halves of 16 bits, and
 * on typed arrays the same bits.
 */

import { rowProductsModule, type RowProductsModule } from './row-products-module.ts';

/** Bytes up to which rows live in memory of the machine code, and weights below which it is not worth an instance. */
const LARGEST_BYTES = 2 ** 28;
const SMALLEST = 512;
/** Numbers of this size have no room for a fraction. */
const WHOLE = 1.5 * 2 ** 52;
/** Codes of a step of the machine code. */
const STEP = 16;

/**
 * The smallest power of two u for which `largest < 2^31 u` and `127 width largest <= 2^53 u`: rounded to multiples of u, weights up to
 * `largest` are off by at most 2^-31 of it (2^-45 width, where there are over 16,384), and no sum of products with codes, in whatever
 * order, is more than 2^53 multiples. 0 for 0, NaN for what is not finite.
 */
function unitOf(largest: number, width: number): number {
  if (!(largest > 0 && largest < Infinity)) return largest === 0 ? 0 : NaN;
  // 1.0001 for 1 and 128 for 127 leave room for what rounding adds, and for the signs of lower halves.
  const exponent = Math.max(
    Math.ceil(Math.log2(1.0001 * largest)) - 31,
    Math.ceil(Math.log2(largest * 128 * width)) - 53,
  );
  return 2 ** Math.max(exponent, -1000);
}

const inverseOf = (unit: number): number => (unit === 0 ? 0 : 1 / unit);

/** A matrix of `count` x `columns`, zero at first: `setRow` each, write codes to `x`, call `multiply`. Nothing is allocated after that. */
export class RoundedRows {
  /** Int8Array, columns: the codes. */
  readonly x: Int8Array;
  /** Float64Array, at least count: what `multiply` found. */
  readonly out: Float64Array;
  readonly #columns: number;
  readonly #stride: number;
  readonly #units: Float64Array;
  readonly #module: RowProductsModule | undefined;
  /** With machine code, halves as it takes them and room for a row of doubles; else the rounded weights. */
  readonly #halves: Int16Array | undefined;
  readonly #weights: Float64Array;

  /** @param smallest weights from which machine code is asked for */
  constructor(count: number, columns: number, smallest = SMALLEST) {
    const stride = Math.ceil(columns / STEP) * STEP;
    const even = (count + 1) & ~1;
    this.#columns = columns;
    this.#stride = stride;
    const outAt = even * stride * 4;
    const unitsAt = outAt + even * 8;
    const rowAt = unitsAt + even * 8;
    const xAt = rowAt + stride * 8;
    const sizeBytes = xAt + stride;
    const wanted = count * columns >= smallest && sizeBytes <= LARGEST_BYTES;
    this.#module = wanted ? rowProductsModule(sizeBytes) : undefined;
    if (this.#module === undefined) {
      this.#units = new Float64Array(count);
      this.#weights = new Float64Array(count * columns);
      this.out = new Float64Array(count);
      this.x = new Int8Array(columns);
      return;
    }
    const { buffer } = this.#module;
    this.#halves = new Int16Array(buffer, 0, even * stride * 2);
    this.out = new Float64Array(buffer, outAt, even);
    this.#units = new Float64Array(buffer, unitsAt, even);
    this.#weights = new Float64Array(buffer, rowAt, stride);
    this.x = new Int8Array(buffer, xAt, columns);
  }

  /** Row `i`, from weights `[start, start + width)`; zero beyond them. Set once. */
  setRow(i: number, weights: Float64Array, start: number, width = this.#columns): void {
    const given = weights.subarray(start, start + width);
    const room = this.#weights;
    if (this.#module !== undefined) {
      const steps = (width + 7) & ~7;
      room.set(given);
      room.fill(0, width, steps);
      const unit = unitOf(this.#module.largest(room.byteOffset, steps), width);
      this.#units[i] = unit;
      this.#module.takeRow(room.byteOffset, steps, inverseOf(unit), i * this.#stride * 4);
      return;
    }
    let largest = 0;
    for (let j = 0; j < width; j++) largest = Math.max(largest, Math.abs(given[j]));
    const unit = unitOf(largest, width);
    const inverse = inverseOf(unit);
    const at = i * this.#columns;
    // Below 2^51 this is the nearest whole number, ties to even as in machine code.
    for (let j = 0; j < width; j++) room[at + j] = (given[j] * inverse + WHOLE - WHOLE) * unit;
  }

  /** Row `i` as it was rounded, into `out` from `start` on, over all columns. */
  readRow(i: number, out: Float64Array, start: number): void {
    const columns = this.#columns;
    if (this.#halves === undefined) {
      out.set(this.#weights.subarray(i * columns, (i + 1) * columns), start);
      return;
    }
    const halves = this.#halves;
    const unit = this.#units[i];
    for (let j = 0, at = i * this.#stride * 2; j < columns; j += 8, at += 16) {
      const end = Math.min(at + 8, at + columns - j);
      for (let from = at, to = start + j; from < end; from++, to++) {
        out[to] = ((halves[from] << 16) + halves[from + 8]) * unit;
      }
    }
  }

  /**
   * `out[i] = <row_i, x>` for rows `[first, first + count)`, over the first `columns` entries. `first` is even; an odd `count` leaves
   * nothing of what follows it in `out`.
   */
  multiply(first: number, count: number, columns = this.#columns): void {
    const { x, out } = this;
    if (this.#module !== undefined) {
      const stride = this.#stride * 4;
      const steps = (columns + STEP - 1) & -STEP;
      const at = first * 8;
      const units = this.#units.byteOffset + at;
      this.#module.halves(first * stride, stride, count, x.byteOffset, steps, units, out.byteOffset + at);
      return;
    }
    const weights = this.#weights;
    for (let i = first; i < first + count; i++) {
      const at = i * this.#columns;
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += weights[at + j] * x[j];
      out[i] = sum;
    }
  }
}
