/** One panel of a left-looking Cholesky factorisation in WebAssembly: products, diagonal block and solve without a copy between. */

import type { CholeskyPanel } from '../gemm.ts';
import { INNER } from './typed-array-gemm.ts';
import {
  holdMemory,
  LEFT,
  packSide,
  RAW,
  RIGHT,
  TILE,
  TILE_ROWS,
  TURN_MULTIPLICATIONS,
  type Kernel,
} from './wasm-tiles.ts';

/** Columns of a panel, at most: its tile of 512 rows fills the tile's memory. */
export const COLUMNS = 128;
// Packed rows of one panel take a quarter of the right side's memory; the diagonal block's inverse follows, as it is and packed.
const INVERSE = RIGHT + INNER * COLUMNS * 8 * 2;
const PACKED_INVERSE = INVERSE + COLUMNS * COLUMNS * 8 + 64;

/** Rows of the diagonal block, or columns of its inverse, that are multiplied together: what lies above the diagonal is left out between them. */
const STRIP = 32;

type Doubles = Float64Array<ArrayBuffer>;

/** How a panel's diagonal block is come by: factored from its first rows, or, where those are another thread's, waited for. */
export type PanelTop =
  | {
      readonly least: Float64Array;
      /** Told as soon as the block is factored. */
      readonly onInverse?: ((inverse: Doubles) => void) | undefined;
    }
  | {
      /** What every panel before it has in the rows of the diagonal block. */
      readonly across: readonly Doubles[];
      /** Undefined where the block has none. */
      readonly inverse: Promise<Doubles | undefined>;
    };

/**
 * `Gemm.choleskyPanel64`, or of some rows below the diagonal block; undefined for what does not fit: more than 128 columns, or a
 * panel of more than 256 before it.
 */
export async function choleskyPanel(
  kernel: Kernel,
  panel: Doubles,
  width: number,
  before: readonly Doubles[],
  top: PanelTop,
): Promise<CholeskyPanel | undefined> {
  const { module, work, yieldToHost } = kernel;
  const view = kernel.view as Doubles;
  const height = panel.length / width;
  if (width > COLUMNS || before.some(({ length }) => length > height * INNER)) return undefined;
  const groups = Math.ceil(width / 4);
  // Whole groups of columns, so that products can be written as they come.
  const pitch = groups * 4;
  const token = {};
  const across = 'across' in top ? top.across : undefined;
  let inverse: Doubles | undefined;
  // Rows of the inverse by strips, each as long as its last row is.
  const strips = stripsOf(width);
  const packInverse = (): void => {
    for (const { start, end, groups, packed } of strips) {
      module.packRows64(INVERSE + start * width * 8, width * 8, end, groups, PACKED_INVERSE + packed * 8);
    }
  };
  /** The product of packed rows from `row` on with packed columns, off the tile. */
  const subtractRows = (row: number, rowGroups: number, columnGroups: number, inner: number): void => {
    const tile = TILE + row * pitch * 8;
    module.multiply64(LEFT + row * inner * 8, RIGHT, inner, rowGroups, columnGroups, tile, pitch * 8, -1);
  };
  for (let first = 0; first < height; first += TILE_ROWS) {
    const rows = Math.min(TILE_ROWS, height - first);
    if (!holdMemory(token) && inverse) {
      view.set(inverse, INVERSE / 8);
      packInverse();
    }
    copyRows(panel, first * width, width, rows, width, view, TILE / 8, pitch);
    for (const [k, values] of before.entries()) {
      const inner = values.length / height;
      const side = { values, outer: height, innerAlong: true };
      packSide(kernel, across ? { ...side, values: across[k] } : side, inner, 0, width, 0, inner, 4, RIGHT);
      packSide(kernel, side, inner, first, rows, 0, inner, 4, LEFT);
      let from = 0;
      if (first === 0 && !across) {
        for (const { start, end, groups } of strips) {
          if (end & 3) continue; // only the last may be no whole groups
          subtractRows(start, groups, end / 4, inner);
          from = Math.max(from, end);
        }
      }
      subtractRows(from, Math.ceil((rows - from) / 4), groups, inner);
      work.count += rows * width * inner;
    }
    let below = 0;
    if (inverse === undefined) {
      if ('across' in top) {
        inverse = await top.inverse;
        if (inverse === undefined) return undefined;
        if (!holdMemory(token)) return choleskyPanel(kernel, panel, width, before, top);
        view.set(inverse, INVERSE / 8);
      } else {
        view.set(top.least, RAW / 8);
        const failed = module.factor64(TILE, pitch * 8, width, RAW);
        const pivot = view[TILE / 8 + failed * pitch + failed];
        if (failed >= 0) return { failed, pivot, inverse: new Float64Array(0) };
        view.fill(0, INVERSE / 8, INVERSE / 8 + width * width);
        module.invertLower64(TILE, pitch * 8, width, INVERSE);
        inverse = view.slice(INVERSE / 8, INVERSE / 8 + width * width);
        top.onInverse?.(inverse);
        below = width;
      }
      packInverse();
    }
    if (rows > below) {
      const tile = TILE + below * pitch * 8;
      const rowGroups = Math.ceil((rows - below) / 4);
      // From the last columns to the first, since each needs those before it as they were.
      for (const { start, end, groups, packed } of strips) {
        module.packRows64(tile, pitch * 8, end, rowGroups, LEFT);
        module.multiply64(LEFT, PACKED_INVERSE + packed * 8, end, rowGroups, groups, tile + start * 8, pitch * 8, 0);
      }
    }
    copyRows(view, TILE / 8, pitch, rows, width, panel, first * width, width);
    if (yieldToHost !== undefined && work.count >= TURN_MULTIPLICATIONS) {
      work.count = 0;
      await yieldToHost();
    }
  }
  return { failed: -1, pivot: NaN, inverse: inverse ?? new Float64Array(0) };
}

interface Strip {
  readonly start: number;
  readonly end: number;
  /** Of four. */
  readonly groups: number;
  /** Numbers of the strips before it, packed. */
  readonly packed: number;
}

/** Of all columns, the last strip first. */
function stripsOf(width: number): Strip[] {
  const strips: Strip[] = [];
  for (let start = 0, packed = 0; start < width; start += STRIP) {
    const end = Math.min(width, start + STRIP);
    const groups = Math.ceil((end - start) / 4);
    strips.unshift({ start, end, groups, packed });
    packed += groups * 4 * end;
  }
  return strips;
}

/** Copies `rows` x `columns` between two places whose rows lie `fromPitch` and `toPitch` apart. */
function copyRows(
  from: Float64Array,
  at: number,
  fromPitch: number,
  rows: number,
  columns: number,
  to: Float64Array,
  toAt: number,
  toPitch: number,
): void {
  if (fromPitch === columns && toPitch === columns) {
    to.set(from.subarray(at, at + rows * columns), toAt);
    return;
  }
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) to[toAt + i * toPitch + j] = from[at + i * fromPitch + j];
  }
}
