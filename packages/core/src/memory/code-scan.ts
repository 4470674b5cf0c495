/**
 * Inner products of one query with every row of an int8 matrix, exact integers, at the speed at which memory is read. Measured on a
 * 2.6 GHz server core, 384 columns: 28 GB/s from the cache, 15 GB/s from memory, so a million rows take 26 ms; typed arrays alone 1 GB/s.
 */

import { rowProductsModule, type RowProductsModule } from '../linalg/row-products-module.ts';

/** Rows that `scanRows` takes at most, a multiple of 4. */
export const SCAN_ROWS = 16_384;

/** Numbers below which an instance of the machine code costs more than it saves. */
const SMALLEST = 2 ** 14;
/** Codes of a step of the machine code. */
const STEP = 16;
/** Turns the sign bits at even places, as the machine code wants them. */
const EVEN_SIGNS = 0x80_0080;

export interface CodeScan {
  /** Int32Array: what `scanRows` found, until the next call. */
  readonly products: Int32Array;
  /** Takes columns `[start, start + columns)` of the rows, and as many entries of `query` from `offset`, from -32,767 to 32,767. */
  setQuery(query: Int8Array | Int32Array, offset: number, start: number, columns: number): void;
  /** Products with rows `[first, first + count)`, `count` at most SCAN_ROWS, into `products`. Exact while they fit 31 bits. */
  scanRows(first: number, count: number): void;
}

const scans = new WeakMap<Int8Array, CodeScan>();

/**
 * A scan of `rows` x `width` codes, which must not change any more; one for each array, and gone with it. The machine code reads a
 * copy of its own.
 */
export function codeScan(codes: Int8Array, rows: number, width: number): CodeScan {
  const known = scans.get(codes);
  if (known !== undefined) return known;
  const made = newScan(codes, rows, width);
  scans.set(codes, made);
  return made;
}

/** The scan without a cache: with machine code where it can be had and `codes` are many, else on typed arrays. */
export function newScan(codes: Int8Array, rows: number, width: number, smallest = SMALLEST): CodeScan {
  const layout = layoutOf(rows, width);
  const module = rows * width < smallest ? undefined : rowProductsModule(layout.sizeBytes);
  return module
    ? new SimdScan(module, codes, rows, width, layout)
    : new TypedArrayScan(codes, width, layout.products);
}

interface Layout {
  /** Of the products, in numbers. */
  readonly products: number;
  /** Where the query begins, 16-bit, with room for one entry before it. */
  readonly query: number;
  /** Where the codes begin; a row's codes fill whole steps. */
  readonly codes: number;
  readonly stride: number;
  readonly sizeBytes: number;
}

function layoutOf(rows: number, width: number): Layout {
  const stride = stepsOf(width);
  const products = Math.min(SCAN_ROWS, (rows + 3) & ~3);
  const query = stepsOf(products * 4);
  const codes = query + 2 * (stride + STEP);
  // Loads reach three rows and a step beyond the last row.
  return { products, query, codes, stride, sizeBytes: codes + (rows + 3) * stride + STEP };
}

function stepsOf(size: number): number {
  return Math.ceil(size / STEP) * STEP;
}

class SimdScan implements CodeScan {
  readonly products: Int32Array;
  readonly #module: RowProductsModule;
  readonly #query: Int16Array;
  readonly #layout: Layout;
  /** The query as it was given, its place, and which rows' products are at hand. */
  readonly #given: Int16Array;
  #start = -1;
  #columns = 0;
  #first = 0;
  #count = 0;
  /** Whether the query's entries are codes, and 128 times the sum of those at even places. */
  #narrow = false;
  #excess = 0;

  constructor(module: RowProductsModule, codes: Int8Array, rows: number, width: number, layout: Layout) {
    const { buffer } = module;
    const { stride } = layout;
    this.#module = module;
    this.#layout = layout;
    this.products = new Int32Array(buffer, 0, layout.products);
    this.#query = new Int16Array(buffer, layout.query, stride + STEP);
    this.#given = new Int16Array(width);
    const copy = new Int8Array(buffer, layout.codes);
    if (stride === width) copy.set(codes.subarray(0, rows * width));
    else for (let i = 0; i < rows; i++) copy.set(codes.subarray(i * width, (i + 1) * width), i * stride);
    const fours = new Int32Array(buffer, layout.codes, (rows * stride) / 4);
    for (let i = 0; i < fours.length; i++) fours[i] ^= EVEN_SIGNS;
  }

  setQuery(query: Int8Array | Int32Array, offset: number, start: number, columns: number): void {
    if (this.#isGiven(query, offset, start, columns)) return;
    this.#start = start;
    this.#columns = columns;
    this.#count = 0;
    const given = this.#given;
    let largest = 0;
    for (let j = 0; j < columns; j++) {
      const x = query[offset + j];
      given[j] = x;
      if (x > largest) largest = x;
      else if (-x > largest) largest = -x;
    }
    this.#narrow = largest <= 127;
    const mine = this.#query;
    // The query begins at an even place.
    const lead = start & 1;
    const end = stepsOf(lead + columns);
    if (!this.#narrow) {
      for (let j = 0; j < end; j++) mine[j] = 0;
      for (let j = 0; j < columns; j++) mine[lead + j] = given[j];
      return;
    }
    let excess = 0;
    for (let from = 0; from < end; from += STEP) {
      for (let j = 0; j < STEP / 2; j++) {
        const at = from + 2 * j - lead;
        const x = at >= 0 && at < columns ? given[at] : 0;
        const y = at + 1 < columns ? given[at + 1] : 0;
        mine[from + j] = x;
        mine[from + STEP / 2 + j] = y - 256 * x;
        excess += x;
      }
    }
    this.#excess = 128 * excess;
  }

  /** The head and the nearest examples ask about one query in turn: nothing is computed twice. */
  #isGiven(query: Int8Array | Int32Array, offset: number, start: number, columns: number): boolean {
    if (start !== this.#start || columns !== this.#columns) return false;
    const given = this.#given;
    for (let j = 0; j < columns; j++) if (query[offset + j] !== given[j]) return false;
    return true;
  }

  scanRows(first: number, count: number): void {
    if (first === this.#first && count <= this.#count) return;
    this.#first = first;
    this.#count = count;
    const { stride, query, codes } = this.#layout;
    const lead = this.#start & 1;
    const at = codes + first * stride + this.#start - lead;
    const columns = stepsOf(lead + this.#columns);
    if (this.#narrow) this.#module.scanCodes(at, stride, count, query, columns, 0, this.#excess);
    else this.#module.scan(at, stride, count, query, columns, 0);
  }
}

/** The same integers, slower. */
class TypedArrayScan implements CodeScan {
  readonly products: Int32Array;
  readonly #codes: Int8Array;
  readonly #width: number;
  readonly #query: Int32Array;
  #start = 0;
  #columns = 0;

  constructor(codes: Int8Array, width: number, rows: number) {
    this.products = new Int32Array(rows);
    this.#codes = codes;
    this.#width = width;
    this.#query = new Int32Array(width);
  }

  setQuery(query: Int8Array | Int32Array, offset: number, start: number, columns: number): void {
    this.#start = start;
    this.#columns = columns;
    for (let j = 0; j < columns; j++) this.#query[j] = query[offset + j];
  }

  scanRows(first: number, count: number): void {
    const codes = this.#codes;
    const query = this.#query;
    const products = this.products;
    const columns = this.#columns;
    let at = first * this.#width + this.#start;
    for (let i = 0; i < count; i++, at += this.#width) {
      let s0 = 0;
      let s1 = 0;
      let j = 0;
      for (; j + 1 < columns; j += 2) {
        s0 = (s0 + query[j] * codes[at + j]) | 0;
        s1 = (s1 + query[j + 1] * codes[at + j + 1]) | 0;
      }
      if (j < columns) s0 = (s0 + query[j] * codes[at + j]) | 0;
      products[i] = s0 + s1;
    }
  }
}
