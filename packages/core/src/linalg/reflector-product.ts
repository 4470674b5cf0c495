/** The orthogonal matrix of a run of block reflectors, `Q = H_1 H_2 ...`, by products of a large inner dimension. */

import type { FitContext } from '../head.ts';
import type { BlockReflector } from './householder-panel.ts';
import { subtractProduct } from './products-in-place.ts';
import { transpose } from './transpose.ts';

/** Reflectors that are applied at once: products of a small inner dimension wait for memory. */
const GROUP_COLUMNS = 256;
/** Entries of the left side of one product: engines cut products by rows and columns only, and copy columns. */
const LEFT_ENTRIES = 2 ** 17;

/**
 * In `4/3 order^3` operations: from the last reflector on, each meets only what those after it have changed.
 * @param reflectors of falling heights, each acts on the last `height` coordinates
 * @returns Float64Array, order x order, row-major; the caller owns it
 */
export async function reflectorProduct(
  reflectors: readonly BlockReflector[],
  order: number,
  context: FitContext,
): Promise<Float64Array> {
  const out = new Float64Array(order * order);
  // The identity but for a square of `side` in its last corner, which is packed.
  let side = 0;
  for (let last = reflectors.length; last > 0;) {
    context.signal?.throwIfAborted();
    let first = last - 1;
    for (let columns = reflectors[first].count; first > 0; first--) {
      columns += reflectors[first - 1].count;
      if (columns > GROUP_COLUMNS) break;
    }
    const group = await joined(reflectors.slice(first, last), context);
    await spread(out, side, group.height, context);
    side = group.height;
    await reflect(out.subarray(0, side * side), group, context);
    last = first;
    await context.yieldToHost?.();
  }
  await spread(out, side, order, context);
  return out;
}

/** Entries that are moved between two turns of the host. */
const TURN_ENTRIES = 2 ** 21;

/** Makes the packed square of `side` at the start the last corner of an identity of `wider`. */
async function spread(square: Float64Array, side: number, wider: number, { yieldToHost }: FitContext): Promise<void> {
  const more = wider - side;
  const turnRows = Math.ceil(TURN_ENTRIES / wider);
  for (let i = side - 1; i >= 0; i--) {
    const to = (more + i) * wider + more;
    square.copyWithin(to, i * side, (i + 1) * side);
    square.fill(0, to - more, to);
    if (i % turnRows === 0) await yieldToHost?.();
  }
  square.fill(0, 0, more * wider);
  for (let i = 0; i < more; i++) square[i * wider + i] = 1;
}

/** `M <- (I - V T V^T) M`, height x height. */
async function reflect(
  matrix: Float64Array,
  { vectors, factor, height, count }: Omit<BlockReflector, 'triangle'>,
  context: FitContext,
): Promise<void> {
  const projected = new Float64Array(count * height);
  const most = Math.floor(LEFT_ENTRIES / count);
  for (let first = 0; first < height; first += most) {
    const k = Math.min(most, height - first);
    const left = new Float64Array(count * k);
    for (let i = 0; i < count; i++) left.set(vectors.subarray(i * height + first, i * height + first + k), i * k);
    const rows = matrix.subarray(first * height, (first + k) * height);
    await subtractProduct(projected, left, rows, { m: count, n: height, k }, context);
  }
  const turned = await context.gemm.f64(factor, projected, { m: count, n: height, k: count });
  // `turned` is `-T V^T M`.
  for (let i = 0; i < turned.length; i++) turned[i] = -turned[i];
  await subtractProduct(matrix, transpose(vectors, count, height), turned, { m: height, n: height, k: count }, context);
}

/** Vectors of `height` as the last entries of vectors of `side`, zeros before them. */
export function padded(vectors: Float64Array, count: number, height: number, side: number): Float64Array {
  if (height === side) return vectors;
  const out = new Float64Array(count * side);
  for (let i = 0; i < count; i++) out.set(vectors.subarray(i * height, (i + 1) * height), (i + 1) * side - height);
  return out;
}

/** `(I - V1 T1 V1^T)(I - V2 T2 V2^T) = I - [V1 V2] T [V1 V2]^T`, with `T12 = -T1 V1^T V2 T2`. */
async function joined(
  group: readonly BlockReflector[],
  { gemm }: FitContext,
): Promise<Omit<BlockReflector, 'triangle'>> {
  const { height } = group[0];
  const count = group.reduce((sum, one) => sum + one.count, 0);
  const vectors = new Float64Array(count * height);
  const factor = new Float64Array(count * count);
  let done = 0;
  for (const one of group) {
    const own = padded(one.vectors, one.count, one.height, height);
    vectors.set(own, done * height);
    for (let i = 0; i < one.count; i++) {
      factor.set(one.factor.subarray(i * one.count, (i + 1) * one.count), (done + i) * count + done);
    }
    if (done > 0) {
      const before = new Float64Array(done * done);
      for (let i = 0; i < done; i++) before.set(factor.subarray(i * count, i * count + done), i * done);
      const shape = { m: done, n: one.count, k: height, transposeB: true };
      const across = await gemm.f64(vectors.subarray(0, done * height), own, shape);
      const turned = await gemm.f64(before, across, { m: done, n: one.count, k: done });
      const corner = await gemm.f64(turned, one.factor, { m: done, n: one.count, k: one.count });
      for (let i = 0; i < done; i++) {
        for (let j = 0; j < one.count; j++) factor[i * count + done + j] = -corner[i * one.count + j];
      }
    }
    done += one.count;
  }
  return { vectors, factor, height, count };
}
