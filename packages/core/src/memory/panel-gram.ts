/** The exact weighted Gram matrix of int8 features by panels of its lower half: what stays of it when the whole is too large. */

import type { FitContext } from '../head.ts';
import { panelColumns, type SymmetricPanels } from '../linalg/cholesky.ts';

/**
 * Rows of one f32 product: up to 1,024, `127^2 * 1024 < 2^24`, every partial sum is an integer that f32 holds exactly. No power of
 * two, as in `panelColumns`: a tenth faster.
 */
const FLOAT_ROWS = 1008;
/** Rows of one product of bytes: their sums stay below 2^31, and their transpose takes order x 16,384 bytes at most. */
const BYTE_ROWS = 16_384;
/** Rows of one weight that are worth a product of their own: below, adding it up costs more than a product in f64. */
const LEAST_ROWS = 80;

/**
 * `sum_i w_i f_i f_i^T`: the same integers whatever the order of the rows and the engine. Diagonal blocks are whole.
 * @param features Int8Array, weights.length x order, row-major
 * @param weights Float64Array, count: integers, such that the sum of `weight * 127^2` stays within 2^53
 */
export async function panelGram(
  features: Int8Array,
  weights: Float64Array,
  order: number,
  context: FitContext,
): Promise<SymmetricPanels> {
  return sumOfPanels(features, weights, order, await multipliesBytes(features, context), context);
}

/** Products of bytes take a left side without sign: ReLU features have none. */
async function multipliesBytes(features: Int8Array, context: FitContext): Promise<boolean> {
  return context.gemm.int8 !== undefined && (await withoutSign(features, context));
}

async function sumOfPanels(
  features: Int8Array,
  weights: Float64Array,
  order: number,
  bytes: boolean,
  context: FitContext,
): Promise<SymmetricPanels> {
  const block = panelColumns(order);
  const panels: Float64Array[] = [];
  for (let start = 0; start < order; start += block) {
    panels.push(new Float64Array((order - start) * Math.min(block, order - start)));
    await context.yieldToHost?.();
  }
  const into = { order, block, panels, isEmpty: true };
  const byWeight = new Map<number, number[]>();
  for (const [i, weight] of weights.entries()) {
    const rows = byWeight.get(weight);
    if (rows) rows.push(i);
    else byWeight.set(weight, [i]);
  }
  const rare: number[] = [];
  for (const [weight, rows] of byWeight) {
    if (rows.length < LEAST_ROWS) {
      rare.push(...rows);
      continue;
    }
    const most = bytes ? BYTE_ROWS : FLOAT_ROWS;
    for (let first = 0; first < rows.length; first += most) {
      const chosen = rows.slice(first, first + most);
      await (bytes ? addBytes : addFloats)(into, features, chosen, weight, context);
    }
  }
  for (let first = 0; first < rare.length; first += FLOAT_ROWS) {
    await addWeighted(into, features, rare.slice(first, first + FLOAT_ROWS), weights, context);
  }
  return into;
}

/**
 * The same as a whole matrix of which the lower triangle is filled, through products of bytes; undefined where there are none.
 * @returns Float64Array, order x order; the caller owns it
 */
export async function gramByBytes(
  features: Int8Array,
  weights: Float64Array,
  order: number,
  context: FitContext,
): Promise<Float64Array | undefined> {
  if (!(await multipliesBytes(features, context))) return undefined;
  const { block, panels } = await sumOfPanels(features, weights, order, true, context);
  const gram = new Float64Array(order * order);
  for (const [p, panel] of panels.entries()) {
    const start = p * block;
    const width = Math.min(block, order - start);
    for (let i = 0; i < order - start; i++) {
      gram.set(panel.subarray(i * width, (i + 1) * width), (start + i) * order + start);
    }
    await context.yieldToHost?.();
  }
  return gram;
}

/** Features looked at between two turns of the host. */
const TURN_FEATURES = 2 ** 21;
/** The sign bits of four bytes. */
const SIGNS = 0x8080_8080;

async function withoutSign(features: Int8Array, { yieldToHost, signal }: FitContext): Promise<boolean> {
  const { buffer, byteOffset, length } = features;
  const words = new Int32Array(buffer, byteOffset & ~3, byteOffset % 4 === 0 ? length >> 2 : 0);
  for (let i = words.length * 4; i < length; i++) if (features[i] < 0) return false;
  for (let first = 0; first < words.length; first += TURN_FEATURES / 4) {
    signal?.throwIfAborted();
    const end = Math.min(words.length, first + TURN_FEATURES / 4);
    for (let i = first; i < end; i++) if ((words[i] & SIGNS) !== 0) return false;
    await yieldToHost?.();
  }
  return true;
}

type Values = Int8Array | Float32Array | Float64Array;

/** Columns `[start, start + width)` of the chosen rows, rows.length x width. */
function stripInto<V extends Values>(
  features: Int8Array,
  order: number,
  rows: readonly number[],
  start: number,
  width: number,
  strip: V,
): V {
  for (let r = 0; r < rows.length; r++) {
    const from = rows[r] * order + start;
    strip.set(features.subarray(from, from + width), r * width);
  }
  return strip;
}

/** Side of a square that is transposed while it lies in the first-level cache. */
const TILE = 64;
/** Columns transposed between two turns of the host. */
const TURN_COLUMNS = 256;

/** Calls `tile` for every square of order x count, with turns for the host. */
async function forTiles(
  order: number,
  count: number,
  { yieldToHost, signal }: FitContext,
  tile: (j0: number, j1: number, r0: number, r1: number) => void,
): Promise<void> {
  for (let j0 = 0; j0 < order; j0 += TILE) {
    const j1 = Math.min(order, j0 + TILE);
    for (let r0 = 0; r0 < count; r0 += TILE) tile(j0, j1, r0, Math.min(count, r0 + TILE));
    if (j1 % TURN_COLUMNS === 0) {
      signal?.throwIfAborted();
      await yieldToHost?.();
    }
  }
}

/** The chosen rows as columns: order x rows.length, each times its factor. */
async function transposeRows<V extends Values>(
  features: Int8Array,
  order: number,
  rows: readonly number[],
  factors: ((row: number) => number) | undefined,
  out: V,
  context: FitContext,
): Promise<V> {
  const count = rows.length;
  await forTiles(order, count, context, (j0, j1, r0, r1) => {
    for (let r = r0; r < r1; r++) {
      const from = rows[r] * order;
      const factor = factors === undefined ? 1 : factors(rows[r]);
      for (let j = j0; j < j1; j++) out[j * count + r] = factor * features[from + j];
    }
  });
  return out;
}

/** The same of bytes, four rows a word. */
async function transposeBytes(
  features: Int8Array,
  order: number,
  rows: readonly number[],
  context: FitContext,
): Promise<Int8Array> {
  const count = rows.length;
  const out = new Int8Array(order * count);
  if (count % 4 !== 0) return transposeRows(features, order, rows, undefined, out, context);
  const words = new Int32Array(out.buffer);
  await forTiles(order, count, context, (j0, j1, r0, r1) => {
    for (let r = r0; r < r1; r += 4) {
      const a = rows[r] * order;
      const b = rows[r + 1] * order;
      const c = rows[r + 2] * order;
      const d = rows[r + 3] * order;
      for (let j = j0; j < j1; j++) {
        // Features have no sign here.
        words[(j * count + r) >> 2] =
          features[a + j] | (features[b + j] << 8) | (features[c + j] << 16) | (features[d + j] << 24);
      }
    }
  });
  return out;
}

/** Entries added between two turns of the host. */
const TURN_ENTRIES = 2 ** 20;

/** Sets the panel to a multiple of the product, or adds that to it: reading zeros that were never written costs as much again. */
async function addMultiple(
  panel: Float64Array,
  product: Int32Array | Float32Array | Float64Array,
  weight: number,
  isEmpty: boolean,
  { yieldToHost }: FitContext,
): Promise<void> {
  for (let first = 0; first < product.length; first += TURN_ENTRIES) {
    const end = Math.min(product.length, first + TURN_ENTRIES);
    if (isEmpty) for (let i = first; i < end; i++) panel[i] = weight * product[i];
    else for (let i = first; i < end; i++) panel[i] += weight * product[i];
    await yieldToHost?.();
  }
}

/** Panels, and whether nothing was added to them yet. */
interface GrowingPanels extends SymmetricPanels {
  isEmpty: boolean;
}

/** Adds `weight` times what `multiply` gives for every panel: the product of its columns with its rows. */
async function addPanels(
  into: GrowingPanels,
  weight: number,
  context: FitContext,
  multiply: (start: number, width: number) => Promise<Int32Array | Float32Array | Float64Array>,
): Promise<void> {
  const { order, block, panels, isEmpty } = into;
  for (const [p, panel] of panels.entries()) {
    context.signal?.throwIfAborted();
    const start = p * block;
    await addMultiple(panel, await multiply(start, Math.min(block, order - start)), weight, isEmpty, context);
  }
  into.isEmpty = false;
}

async function addBytes(
  into: GrowingPanels,
  features: Int8Array,
  rows: readonly number[],
  weight: number,
  context: FitContext,
): Promise<void> {
  const { order } = into;
  const k = rows.length;
  const left = await transposeBytes(features, order, rows, context);
  await addPanels(into, weight, context, (start, n) => {
    const right = stripInto(features, order, rows, start, n, new Int8Array(k * n));
    return context.gemm.int8!(left.subarray(start * k), right, { m: order - start, n, k });
  });
}

async function addFloats(
  into: GrowingPanels,
  features: Int8Array,
  rows: readonly number[],
  weight: number,
  context: FitContext,
): Promise<void> {
  const { order } = into;
  const k = rows.length;
  const left = await transposeRows(features, order, rows, undefined, new Float32Array(order * k), context);
  await addPanels(into, weight, context, (start, n) => {
    const right = left.subarray(start * k, (start + n) * k);
    return context.gemm.f32(left.subarray(start * k), right, { m: order - start, n, k, transposeB: true });
  });
}

/** Rows of many weights: integers up to 2^53 are exact in f64 too. */
async function addWeighted(
  into: GrowingPanels,
  features: Int8Array,
  rows: readonly number[],
  weights: Float64Array,
  context: FitContext,
): Promise<void> {
  const { order } = into;
  const k = rows.length;
  const left = await transposeRows(features, order, rows, (row) => weights[row], new Float64Array(order * k), context);
  await addPanels(into, 1, context, (start, n) => {
    const right = stripInto(features, order, rows, start, n, new Float64Array(k * n));
    return context.gemm.f64(left.subarray(start * k), right, { m: order - start, n, k });
  });
}
