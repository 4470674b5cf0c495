/** The memory that core's WebAssembly products work in: where sides are packed, where a tile of the result stands. */

import { INNER } from './typed-array-gemm.ts';
import type { LoadedModule } from './wasm-module.ts';

export type Floats = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** Columns of a tile: its packed right side is at most 1 MB. */
export const TILE_COLUMNS = 512;
/** Entries of a tile of the product, and rows of it: its packed left side is at most 1 MB. */
export const TILE_ENTRIES = 65_536;
export const TILE_ROWS = 512;
/** Whole groups of rows reach beyond the last row that was copied, and packing writes up to 48 bytes too many. */
const SPARE_BYTES = 8 * INNER * 8 + 64;

// The module's memory: one stripe as it came, both sides packed, and the tile. It never grows beyond this.
export const RAW = 0;
export const LEFT = RAW + TILE_ROWS * INNER * 8 + SPARE_BYTES;
export const RIGHT = LEFT + TILE_ROWS * INNER * 8 + SPARE_BYTES;
export const TILE = RIGHT + TILE_COLUMNS * INNER * 8 + SPARE_BYTES;
export const MEMORY_BYTES = TILE + TILE_ENTRIES * 8 + SPARE_BYTES;

/** Multiplications between two turns of the host: 3 ms on a desktop, 20 on a slow phone. */
export const TURN_MULTIPLICATIONS = 2 ** 25;

/** The side of a product as it is stored: `outer` counts rows of A or columns of B. */
export interface Side {
  readonly values: Floats;
  readonly outer: number;
  /** The inner index runs along memory. */
  readonly innerAlong: boolean;
}

export interface Kernel {
  readonly module: LoadedModule;
  readonly view: Floats;
  readonly bytes: 4 | 8;
  /** Counts multiplications since the host's last turn, over all products. */
  readonly work: { count: number };
  readonly yieldToHost: (() => Promise<void>) | undefined;
}

let owner: object | undefined;

/**
 * Makes `token` the one whose numbers lie in the module's memory: products that took turns find their own again, or put them
 * back.
 * @returns whether they are still there
 */
export function holdMemory(token: object): boolean {
  if (owner === token) return true;
  owner = token;
  return false;
}

/** Copies `outer` x `inner` entries of a side to the raw stripe and packs them in whole groups of `width` at `out`. */
export function packSide(
  kernel: Kernel,
  side: Side,
  innerTotal: number,
  first: number,
  count: number,
  p0: number,
  inner: number,
  width: 4 | 8,
  out: number,
): void {
  const { module, view, bytes } = kernel;
  const { values, outer, innerAlong } = side;
  if (innerAlong) copyBlock(values, innerTotal, first, count, p0, inner, view);
  else copyBlock(values, outer, p0, inner, first, count, view);
  const groups = Math.ceil(count / width);
  if (!innerAlong) module.packColumns(RAW, count * bytes, inner, groups, width * bytes, out);
  else if (bytes === 8) module.packRows64(RAW, inner * 8, inner, groups, out);
  else module.packRows32(RAW, inner * 4, inner, (groups * width) / 4, width * 4, out);
}

/** Copies rows `[row, row + rows)` and columns `[column, column + columns)` of a row-major matrix to the start of `view`. */
function copyBlock(
  values: Floats,
  pitch: number,
  row: number,
  rows: number,
  column: number,
  columns: number,
  view: Floats,
): void {
  if (columns === pitch) {
    view.set(values.subarray(row * pitch, (row + rows) * pitch));
  } else if (columns >= 16) {
    for (let i = 0, at = row * pitch + column; i < rows; i++, at += pitch) {
      view.set(values.subarray(at, at + columns), i * columns);
    }
  } else {
    for (let i = 0, to = 0; i < rows; i++) {
      const at = (row + i) * pitch + column;
      for (let j = 0; j < columns; j++, to++) view[to] = values[at + j];
    }
  }
}

/** Writes the tile's `rows` x `columns` entries at (row, column) of the product, and across its diagonal where `mirror`. */
export function writeTile(
  kernel: Kernel,
  pitch: number,
  row: number,
  rows: number,
  column: number,
  columns: number,
  out: Floats,
  n: number,
  mirror: boolean,
): void {
  const { view, bytes } = kernel;
  const tile = TILE / bytes;
  if (columns === n && pitch === n) {
    out.set(view.subarray(tile, tile + rows * n), row * n);
  } else if (columns >= 16) {
    for (let i = 0, at = tile; i < rows; i++, at += pitch) {
      out.set(view.subarray(at, at + columns), (row + i) * n + column);
    }
  } else {
    for (let i = 0, at = tile; i < rows; i++, at += pitch) {
      const to = (row + i) * n + column;
      for (let j = 0; j < columns; j++) out[to + j] = view[at + j];
    }
  }
  if (!mirror) return;
  for (let j = 0; j < columns; j++) {
    const to = (column + j) * n + row;
    for (let i = Math.max(0, column + j + 1 - row); i < rows; i++) out[to + i] = view[tile + i * pitch + j];
  }
}

/** The way back of `writeTile`, after another product used the module's memory. */
export function readTile(
  kernel: Kernel,
  pitch: number,
  row: number,
  rows: number,
  column: number,
  columns: number,
  out: Floats,
  n: number,
): void {
  const tile = TILE / kernel.bytes;
  for (let i = 0; i < rows; i++) {
    const at = (row + i) * n + column;
    kernel.view.set(out.subarray(at, at + columns), tile + i * pitch);
  }
}
