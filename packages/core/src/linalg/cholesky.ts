/** Blocked Cholesky factorisation `A = L L^T` on typed arrays. */

import type { FitContext } from '../head.ts';
import { inverseLower } from './cholesky-solve.ts';
import { factorSmall, invertLower, notPositiveDefinite, zerosLike, type Floats } from './small-cholesky.ts';
import { subtractProduct, writeProduct } from './products-in-place.ts';
import { wasmGemm } from './wasm-gemm.ts';

/** Columns of a panel that plain loops factor. */
const SMALL_BLOCK = 128;

/**
 * Columns of a panel of a matrix of this order: products need a large inner dimension, and what they compute twice, above
 * the diagonal, grows with it. Panels are stored one by one, so that a range of their rows is a contiguous subarray. No power
 * of two: rows that lie 4,096 bytes apart share a few sets of the first cache, which costs engines a fourth of their speed.
 */
export function panelColumns(order: number): number {
  return order < 3072 ? SMALL_BLOCK : order < 8192 ? 352 : 480;
}

/** Entries of a panel that are copied between two turns of the host. */
const TURN_ENTRIES = 2 ** 20;

/** A symmetric matrix by panels: panel k holds columns `[block k, block (k + 1))` of the lower triangle from row `block k` down. */
export interface SymmetricPanels {
  readonly order: number;
  /** Columns of a panel, those of the factor too. `panelColumns(order)` is a good choice. */
  readonly block: number;
  /** Row-major, (order - block k) x block; what lies above the diagonal is not read. */
  readonly panels: readonly Float64Array[];
}

/**
 * The factor of a symmetric positive definite matrix. Panel k holds columns `[block k, block (k + 1))` of L from its diagonal
 * block down, row-major; `inverses[k]` is the inverse of that diagonal block.
 */
export interface CholeskyFactor<F extends Floats = Float64Array> {
  readonly order: number;
  readonly block: number;
  readonly panels: readonly F[];
  readonly inverses: readonly F[];
}

/**
 * Factors `matrix` (order x order, row-major; only the lower triangle is read and nothing is written), left-looking:
 * each panel takes the products of those before it, then is solved against its own diagonal block. `ridge` is added to the
 * diagonal. Costs order^3 / 3 operations, nearly all in the Gemm.
 * @throws NOT_POSITIVE_DEFINITE naming the pivot
 */
export async function choleskyFactor(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  context: FitContext,
  ridge = 0,
): Promise<CholeskyFactor> {
  return factorPanels(matrix, order, blockOf(matrix, order), context, ridge, (length) => new Float64Array(length));
}

/**
 * The same in f32, in half the time and memory, as the start of a solution that is refined in f64 (refine.ts).
 * @throws NOT_POSITIVE_DEFINITE also where the matrix is positive definite only beyond the precision of f32
 */
export async function choleskyFactor32(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  context: FitContext,
  ridge = 0,
): Promise<CholeskyFactor<Float32Array>> {
  return factorPanels(matrix, order, blockOf(matrix, order), context, ridge, (length) => new Float32Array(length));
}

function blockOf(matrix: Float64Array | SymmetricPanels, order: number): number {
  return matrix instanceof Float64Array ? panelColumns(order) : matrix.block;
}

async function factorPanels<F extends Floats>(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  block: number,
  context: FitContext,
  ridge: number,
  allocate: (length: number) => F,
  whole: Pivots = { start: 0, order, diagonal: undefined },
): Promise<CholeskyFactor<F>> {
  const panels: F[] = [];
  const inverses: F[] = [];
  // All panels at once: an engine may collect garbage for every large array.
  const memory = allocate(panelEntries(order, block));
  const atOnce = context.gemm.choleskyPanel64 !== undefined && memory instanceof Float64Array;
  let room: F | undefined;
  const spare = (length: number): F => (room ??= allocate(order * Math.min(block, order))).subarray(0, length) as F;
  let at = 0;
  for (let start = 0; start < order; start += block) {
    context.signal?.throwIfAborted();
    const width = Math.min(block, order - start);
    const height = order - start;
    const panel = memory.subarray(at, at + height * width) as F;
    at += panel.length;
    let given = atOnce ? panel : spare(panel.length);
    await copyPanel(matrix, order, start, width, given, context);
    const diagonal = whole.diagonal?.subarray(start) ?? diagonalOf(given, width, ridge);
    if (whole.diagonal === undefined) for (let i = 0; i < width; i++) given[i * width + i] += ridge;
    const pivots = { start: whole.start + start, order: whole.order, diagonal };
    let inverse = await panelAtOnce(given, width, panels, block, pivots, context);
    if (inverse === undefined) {
      if (given === panel) (given = spare(panel.length)).set(panel);
      inverse = await panelInSteps(given, panel, width, panels, block, pivots, context);
    }
    panels.push(panel);
    inverses.push(inverse);
    await context.yieldToHost?.();
  }
  return { order, block, panels, inverses };
}

/** Entries of all panels of a matrix. */
function panelEntries(order: number, block: number): number {
  let entries = 0;
  for (let start = 0; start < order; start += block) entries += (order - start) * Math.min(block, order - start);
  return entries;
}

/** Bytes of a panel's rows that stay near the cores while the products of all panels before it are taken off. */
const STEP_BYTES = 2 ** 22;

/**
 * Panel `given` of the matrix less the products of those before it, its diagonal block factored, the rest solved into `panel`
 * (elsewhere); returns the block's inverse.
 */
async function panelInSteps<F extends Floats>(
  given: F,
  panel: F,
  width: number,
  before: readonly F[],
  block: number,
  pivots: Pivots,
  context: FitContext,
): Promise<F> {
  const height = panel.length / width;
  const step = Math.max(256, Math.floor(STEP_BYTES / (width * panel.BYTES_PER_ELEMENT)));
  for (let first = 0; first < height; first += step) {
    const rows = Math.min(step, height - first);
    const own = given.subarray(first * width, (first + rows) * width) as F;
    for (const [k, other] of before.entries()) {
      const offset = (before.length - k) * block * block;
      const beside = other.subarray(offset + first * block, offset + (first + rows) * block) as F;
      const across = other.subarray(offset, offset + width * block) as F;
      await subtractProduct(own, beside, across, { m: rows, n: width, k: block, transposeB: true }, context);
    }
  }
  const inverse = await factorDiagonal(given, width, pivots, context);
  panel.set(given.subarray(0, width * width));
  if (height > width) {
    const shape = { m: height - width, n: width, k: width, transposeB: true };
    const [solved, right] = [panel, given].map((rows) => rows.subarray(width * width) as F);
    await writeProduct(solved, right, inverse, shape, context);
  }
  return inverse;
}

/** `panelInSteps` in one step of an engine that has it; undefined elsewhere, with nothing done. */
async function panelAtOnce<F extends Floats>(
  panel: F,
  width: number,
  before: readonly F[],
  block: number,
  pivots: Pivots,
  { gemm }: FitContext,
): Promise<F | undefined> {
  if (gemm.choleskyPanel64 === undefined || !(panel instanceof Float64Array)) return undefined;
  const rows = before.map((other, k) => other.subarray((before.length - k) * block * block) as Float64Array);
  const least = leastPivots(pivots, width, pivots.order * Number.EPSILON);
  const done = await gemm.choleskyPanel64(panel, width, rows, least);
  if (done === undefined) return undefined;
  if (done.failed >= 0) throw notPositiveDefinite(pivots, done.failed, done.pivot);
  return done.inverse as F;
}

function leastPivots({ diagonal }: Pivots, width: number, rounding: number): Float64Array {
  return Float64Array.from({ length: width }, (_, j) => Math.abs((diagonal as Float64Array)[j]) * rounding);
}

async function copyPanel(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  start: number,
  width: number,
  panel: Floats,
  { yieldToHost }: FitContext,
): Promise<void> {
  const rows = Math.ceil(TURN_ENTRIES / width);
  for (let first = 0; first < order - start; first += rows) {
    const end = Math.min(first + rows, order - start);
    if (matrix instanceof Float64Array) {
      for (let i = first; i < end; i++) {
        const from = (start + i) * order + start;
        panel.set(matrix.subarray(from, from + Math.min(i + 1, width)), i * width);
      }
    } else {
      panel.set(matrix.panels[start / matrix.block].subarray(first * width, end * width), first * width);
    }
    if (end < order - start) await yieldToHost?.();
  }
}

function diagonalOf(panel: Floats, width: number, ridge: number): Float64Array {
  return Float64Array.from({ length: width }, (_, i) => panel[i * width + i] + ridge);
}

/** Where in the whole matrix a diagonal block stands, for errors, and what its diagonal was before anything was subtracted. */
interface Pivots {
  readonly start: number;
  readonly order: number;
  readonly diagonal: Float64Array | undefined;
}

/**
 * Factors the leading `width` x `width` block of `panel` in place, clears what lies above its diagonal and returns the inverse.
 */
async function factorDiagonal<F extends Floats>(
  panel: F,
  width: number,
  pivots: Pivots,
  context: FitContext,
): Promise<F> {
  if (width <= SMALL_BLOCK) {
    // A pivot that cancellation has eaten to a few units of rounding says as little as a negative one. f32 is refined and
    // checked later: there only what rounding is likely to leave counts as nothing.
    const rounding = panel instanceof Float64Array ? pivots.order * Number.EPSILON : Math.sqrt(pivots.order) * 2 ** -23;
    const least = leastPivots(pivots, width, rounding);
    const inverse = await factorByMachine(panel, width, least, pivots);
    if (inverse) return inverse;
    factorSmall(panel, width, least, pivots);
    return invertLower(panel, width);
  }
  const inner = await factorPanels(
    new Float64Array(panel.subarray(0, width * width)),
    width,
    SMALL_BLOCK,
    context,
    0,
    (length) => zerosLike(panel, length),
    pivots,
  );
  panel.fill(0, 0, width * width);
  for (const [k, strip] of inner.panels.entries()) {
    const start = k * SMALL_BLOCK;
    const columns = Math.min(SMALL_BLOCK, width - start);
    for (let i = start; i < width; i++) {
      panel.set(strip.subarray((i - start) * columns, (i - start + 1) * columns), i * width + start);
    }
  }
  return inverseLower(inner, context);
}

/** Blocks narrower than this are done before machine code has copied them. */
const LEAST_MACHINE = 32;

/** `factorDiagonal` in WebAssembly, in f64; undefined where there is none, with nothing done. */
async function factorByMachine<F extends Floats>(
  panel: F,
  width: number,
  least: Float64Array,
  pivots: Pivots,
): Promise<F | undefined> {
  if (width < LEAST_MACHINE) return undefined;
  const block = new Float64Array(panel.subarray(0, width * width));
  const done = await wasmGemm.choleskyPanel64?.(block, width, [], least);
  if (done === undefined) return undefined;
  if (done.failed >= 0) throw notPositiveDefinite(pivots, done.failed, done.pivot);
  panel.set(block);
  const inverse = zerosLike(panel, width * width);
  inverse.set(done.inverse);
  return inverse;
}
