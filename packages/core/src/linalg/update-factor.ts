/**
 * The factor of `A + U U^T` or `A - U U^T` from the factor of A, by products alone. Per panel, with D its diagonal block and
 * `D' D'^T = D D^T +- U_j U_j^T`: `L' = (L D^T +- U U_j^T) D'^-T`, and what the panels below still have to take is
 * `U' = (U - L' P) K^-T`, where `P = D'^-1 U_j` and `K K^T = I -+ P^T P` (the orthogonal, or hyperbolic, completion of L').
 */

import type { FitContext } from '../head.ts';
import { choleskyFactor, solveLower, type CholeskyFactor, type SymmetricPanels } from './cholesky.ts';
import { symmetricResidual } from './refine.ts';
import { subtractProduct } from './subtract-product.ts';

/**
 * A new factor in `order^2 (2 k + block + k^2 / block)` operations; the old one stays as it is. With its wider inner products
 * it pays while k is well below order / 6.
 * @param columns U: Float64Array, order x count, row-major; not changed
 * @param sign 1 adds `U U^T`, -1 takes it away
 * @throws NOT_POSITIVE_DEFINITE where nothing positive definite is left, or rounding left nothing of a pivot
 */
export async function updatedFactor(
  { order, block, panels }: CholeskyFactor,
  columns: Float64Array,
  count: number,
  sign: 1 | -1,
  context: FitContext,
): Promise<CholeskyFactor> {
  const { gemm } = context;
  const updated: Float64Array[] = [];
  const inverses: Float64Array[] = [];
  const left = columns.slice();
  for (const [p, panel] of panels.entries()) {
    context.signal?.throwIfAborted();
    const start = p * block;
    const width = Math.min(block, order - start);
    const height = order - start - width;
    const diagonal = panel.subarray(0, width * width);
    const own = left.subarray(start * count, (start + width) * count);

    const square = await gemm.f64(diagonal, diagonal, { m: width, n: width, k: width, transposeB: true });
    await add(square, own, own, sign, { m: width, n: width, k: count, transposeB: true }, context);
    const { lower, inverse } = await invert(await choleskyFactor(square, width, context), context);
    const next = new Float64Array(panel.length);
    next.set(lower);
    updated.push(next);
    inverses.push(inverse);
    if (height === 0) break;

    // A = D^T D'^-T and P^T = U_j^T D'^-T turn [L U] into L' in two products.
    const turn = await gemm.f64(diagonal, inverse, {
      m: width,
      n: width,
      k: width,
      transposeA: true,
      transposeB: true,
    });
    const across = await gemm.f64(own, inverse, { m: count, n: width, k: width, transposeA: true, transposeB: true });
    const rest = left.subarray((start + width) * count);
    const below = await gemm.f64(panel.subarray(width * width), turn, { m: height, n: width, k: width });
    await add(below, rest, across, sign, { m: height, n: width, k: count }, context);
    next.set(below, width * width);

    const gap = new Float64Array(count * count);
    for (let i = 0; i < count; i++) gap[i * count + i] = 1;
    await add(gap, across, across, -sign as 1 | -1, { m: count, n: count, k: width, transposeB: true }, context);
    await add(rest, below, across, -1, { m: height, n: count, k: width, transposeB: true }, context);
    const { inverse: root } = await invert(await choleskyFactor(gap, count, context), context);
    rest.set(await gemm.f64(rest, root, { m: height, n: count, k: count, transposeB: true }));
    await context.yieldToHost?.();
  }
  return { order, block, panels: updated, inverses };
}

/** The factor as one lower triangle, order x order, and its inverse. */
async function invert(
  factor: CholeskyFactor,
  context: FitContext,
): Promise<{ lower: Float64Array; inverse: Float64Array }> {
  const { order, block, panels } = factor;
  const identity = new Float64Array(order * order);
  for (let i = 0; i < order; i++) identity[i * order + i] = 1;
  const lower = new Float64Array(order * order);
  for (const [k, panel] of panels.entries()) {
    const start = k * block;
    const width = Math.min(block, order - start);
    for (let i = start; i < order; i++) {
      const row = (i - start) * width;
      lower.set(panel.subarray(row, row + Math.min(width, i - start + 1)), i * order + start);
    }
  }
  return { lower, inverse: await solveLower(factor, identity, order, context) };
}

type Shape = Parameters<FitContext['gemm']['f64']>[2];

/** `c += sign op(a) op(b)`. */
async function add(
  c: Float64Array,
  a: Float64Array,
  b: Float64Array,
  sign: 1 | -1,
  shape: Shape,
  context: FitContext,
): Promise<void> {
  if (sign === -1) return subtractProduct(c, a, b, shape, context);
  const update = await context.gemm.f64(a, b, shape);
  for (let i = 0; i < update.length; i++) c[i] += update[i];
}

/** Columns that the residual is measured on. */
const PROBES = 4;

/**
 * `|(A + ridge I - L L^T) Z| / |(A + ridge I) Z|` for four fixed columns Z of +-1: how far a factor is from the matrix that it
 * should belong to, in `8 order^2` multiplications. About 1e-15 after a factorisation.
 */
export async function factorResidual(
  { order, block, panels }: CholeskyFactor,
  matrix: SymmetricPanels,
  ridge: number,
  context: FitContext,
): Promise<number> {
  const z = new Float64Array(order * PROBES);
  let state = 1;
  for (let i = 0; i < z.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    z[i] = state >= 2 ** 31 ? 1 : -1;
  }
  const half = new Float64Array(order * PROBES);
  const whole = new Float64Array(order * PROBES);
  for (const [k, panel] of panels.entries()) {
    const [start, width, rows] = slot(order, block, k);
    const shape = { m: width, n: PROBES, k: rows, transposeA: true };
    half.set(await context.gemm.f64(panel, z.subarray(start * PROBES), shape), start * PROBES);
  }
  for (const [k, panel] of panels.entries()) {
    const [start, width, rows] = slot(order, block, k);
    const own = half.subarray(start * PROBES, (start + width) * PROBES);
    await add(whole.subarray(start * PROBES), panel, own, 1, { m: rows, n: PROBES, k: width }, context);
  }
  const difference = await symmetricResidual(matrix, ridge, whole, z, PROBES, context);
  return Math.sqrt(squares(difference) / squares(whole));
}

function slot(order: number, block: number, k: number): [start: number, width: number, rows: number] {
  return [k * block, Math.min(block, order - k * block), order - k * block];
}

function squares(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}

export interface RankUpdate {
  /** Float64Array, order x added: columns that came. */
  readonly added: Float64Array;
  readonly numAdded: number;
  /** Float64Array, order x removed: columns that went. */
  readonly removed: Float64Array;
  readonly numRemoved: number;
}

/**
 * The factor of `matrix + ridge I` from the factor of what it was before `update`, checked against the exact matrix and
 * factored anew where the check fails: the answer is that of a fresh factor within `tolerance` either way.
 * @param matrix the exact matrix after the update
 * @param tolerance of `factorResidual`, default 1e-12
 * @throws NOT_POSITIVE_DEFINITE where the matrix itself is not
 */
export async function updateOrRefactor(
  factor: CholeskyFactor,
  { added, numAdded, removed, numRemoved }: RankUpdate,
  matrix: SymmetricPanels,
  ridge: number,
  context: FitContext,
  tolerance = 1e-12,
): Promise<{ factor: CholeskyFactor; refactored: boolean }> {
  try {
    // Additions first: what is taken away afterwards is surely there.
    let updated = factor;
    if (numAdded > 0) updated = await updatedFactor(updated, added, numAdded, 1, context);
    if (numRemoved > 0) updated = await updatedFactor(updated, removed, numRemoved, -1, context);
    const residual = await factorResidual(updated, matrix, ridge, context);
    if (residual <= tolerance) return { factor: updated, refactored: false };
  } catch (error) {
    if ((error as { code?: string }).code !== 'NOT_POSITIVE_DEFINITE') throw error;
  }
  return { factor: await choleskyFactor(matrix, matrix.order, context, ridge), refactored: true };
}
