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
 * Rounds weights `[start, start + width)` in place to multiples of the smallest power of two u for which `|w_j| < 2^(bits - 1) u` and
 * `127 sum_j |w_j| <= 2^53 u`: no sum of products with codes, in whatever order, is then more than 2^53 multiples. An error of at most
 * 2^-bits times twice the largest weight, or 2^-46 times the sum of weights where that is more.
 * @returns u; 0 for weights that are all 0, NaN for weights that are not finite, which stay
 */
export function roundWeights(weights: Float64Array, start: number, width: number, bits: number): number {
  let largest = 0;
  let sum = 0;
  for (let j = start; j < start + width; j++) {
    const size = Math.abs(weights[j]);
    if (size > largest) largest = size;
    sum += size;
  }
  if (!(sum > 0 && sum < Infinity)) return sum === 0 ? 0 : NaN;
  // 1.0001 for 1 and 128 for 127 leave room for what rounding adds, and for the signs of lower halves.
  const exponent = Math.max(Math.ceil(Math.log2(1.0001 * largest)) + 1 - bits, Math.ceil(Math.log2(128 * sum)) - 53);
  const unit = 2 ** Math.max(exponent, -1000);
  const inverse = 1 / unit;
  // Below 2^51 this leaves the nearest whole number, in a third of the time that Math.round takes.
  for (let j = start; j < start + width; j++) weights[j] = (weights[j] * inverse + WHOLE - WHOLE) * unit;
  return unit;
}

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
  /** Halves as the machine code takes them, or the rounded weights. */
  readonly #halves: Int16Array | undefined;
  readonly #weights: Float64Array | undefined;

  /** @param smallest weights from which machine code is asked for */
  constructor(count: number, columns: number, smallest = SMALLEST) {
    const stride = Math.ceil(columns / STEP) * STEP;
    const even = (count + 1) & ~1;
    this.#columns = columns;
    this.#stride = stride;
    const outAt = even * stride * 4;
    const unitsAt = outAt + even * 8;
    const xAt = unitsAt + even * 8;
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
    this.x = new Int8Array(buffer, xAt, columns);
  }

  /** Row `i`, from weights `[start, start + width)`, which are rounded in place; zero beyond them. */
  setRow(i: number, weights: Float64Array, start: number, width = this.#columns): void {
    const unit = roundWeights(weights, start, width, 32);
    this.#units[i] = unit;
    if (this.#weights !== undefined) {
      this.#weights.set(weights.subarray(start, start + width), i * this.#columns);
      return;
    }
    const halves = this.#halves!;
    const at = i * this.#stride * 2;
    const inverse = unit === 0 ? 0 : 1 / unit;
    for (let j = 0; j < width; j++) {
      const number = weights[start + j] * inverse;
      const upper = Math.floor((number + 32_768) / 65_536);
      const place = at + 2 * (j - (j & 7)) + (j & 7);
      halves[place] = upper;
      halves[place + 8] = number - 65_536 * upper;
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
    const weights = this.#weights!;
    for (let i = first; i < first + count; i++) {
      const at = i * this.#columns;
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += weights[at + j] * x[j];
      out[i] = sum;
    }
  }
}
