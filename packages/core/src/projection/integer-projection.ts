/** Exact integer products of codes with a fixed integer matrix, and how each row of them becomes int8 features. */

import type { FitContext } from '../head.ts';
import { codeScan, SCAN_ROWS } from '../memory/code-scan.ts';
import { codeScale } from '../memory/codes.ts';
import type { Projection, ProjectionInput } from './projection.ts';

/** Rows projected at a time, so that the f32 products stay small. */
const BLOCK_ROWS = 512;

/** Features between two turns of the host. */
const TURN_FEATURES = 2 ** 21;

/** Integer factors of taps stand for the square roots of their weights, the largest as 16. */
const TAP_STEPS = 16;

/** How codes are weighed before they are projected. */
export interface TapFactors {
  /** Int32Array, taps: from 0 to 16. */
  readonly factors: Int32Array;
  /** Length of a weighted embedding, in units of codes. */
  readonly length: number;
}

/** Integer factors close to `sqrt(weight)`, in proportion: products with them stay exact. */
export function tapFactors({ taps, dim, tapWeights }: ProjectionInput): TapFactors {
  const largest = Math.max(...tapWeights);
  const factors = new Int32Array(taps);
  let squares = 0;
  let equal = true;
  for (let tap = 0; tap < taps; tap++) {
    factors[tap] = Math.round(TAP_STEPS * Math.sqrt(tapWeights[tap] / largest));
    if (factors[tap] !== TAP_STEPS) equal = false;
    squares += factors[tap] * factors[tap];
  }
  if (!equal) return { factors, length: codeScale(dim) * Math.sqrt(squares) };
  return { factors: factors.fill(1), length: codeScale(dim) * Math.sqrt(taps) };
}

/** Turns one row of integer products into features: `products` is numFeatures long from `from`, features go to `out` at `at`. */
export type Activation = (
  products: Float32Array | Int32Array,
  from: number,
  numFeatures: number,
  out: Int8Array,
  at: number,
) => void;

/**
 * A projection with integer weights in which every product is exact in f32: `16 * 127 * |weight| * width` stays below 2^24
 * for weights of +-1 up to a width of 8,256.
 * @param weights Int8Array, numFeatures x width, row-major
 * @param block features that are activated without the others: their products stay in the cache until then. Default all.
 */
export function integerProjection(
  name: string,
  parameters: Readonly<Record<string, number>>,
  input: ProjectionInput,
  weights: Int8Array,
  numFeatures: number,
  activate: Activation,
  block = numFeatures,
): Projection {
  const { taps, dim } = input;
  const width = taps * dim;
  const { factors } = tapFactors(input);
  // Taps of weight zero are left out of the products altogether.
  let used = taps;
  while (used > 1 && factors[used - 1] === 0) used--;
  const columns = used * dim;
  let floats: Float32Array | undefined;
  const right = (): Float32Array => {
    if (floats) return floats;
    floats = new Float32Array(numFeatures * columns);
    for (let m = 0; m < numFeatures; m++) {
      floats.set(weights.subarray(m * width, m * width + columns), m * columns);
    }
    return floats;
  };
  return {
    name,
    numFeatures,
    parameters,
    async project(codes, count, context: FitContext) {
      const out = new Int8Array(count * numFeatures);
      if (count > 0) right();
      const most = Math.min(BLOCK_ROWS, count);
      const leftRoom = new Float32Array(most * columns);
      const productRoom = new Float32Array(most * Math.min(block, numFeatures));
      await context.yieldToHost?.();
      for (let first = 0; first < count; first += BLOCK_ROWS) {
        context.signal?.throwIfAborted();
        const rows = Math.min(BLOCK_ROWS, count - first);
        const left = leftRoom.subarray(0, rows * columns);
        for (let i = 0; i < rows; i++) {
          for (let tap = 0; tap < used; tap++) {
            const from = (first + i) * width + tap * dim;
            const to = i * columns + tap * dim;
            for (let j = 0; j < dim; j++) left[to + j] = codes[from + j] * factors[tap];
          }
        }
        await context.yieldToHost?.();
        for (let start = 0; start < numFeatures; start += block) {
          const n = Math.min(block, numFeatures - start);
          const some = right().subarray(start * columns, (start + n) * columns);
          const shape = { m: rows, n, k: columns, transposeB: true };
          const products = await context.gemm.f32(left, some, shape, productRoom.subarray(0, rows * n));
          const turnRows = Math.max(1, Math.floor(TURN_FEATURES / n));
          for (let i = 0; i < rows; i++) {
            activate(products, i * n, n, out, (first + i) * numFeatures + start);
            if ((i + 1) % turnRows === 0) await context.yieldToHost?.();
          }
          await context.yieldToHost?.();
        }
      }
      return out;
    },
    projectInto(codes, count, out) {
      const unweighted = factors.every((factor) => factor === 1);
      const row = new Int32Array(columns);
      const products = new Int32Array(numFeatures);
      const scan = codeScan(weights, numFeatures, width);
      for (let i = 0; i < count; i++) {
        if (unweighted) {
          scan.setQuery(codes, i * width, 0, columns);
        } else {
          for (let j = 0; j < columns; j++) row[j] = codes[i * width + j] * factors[Math.floor(j / dim)];
          scan.setQuery(row, 0, 0, columns);
        }
        for (let first = 0; first < numFeatures; first += SCAN_ROWS) {
          const block = Math.min(SCAN_ROWS, numFeatures - first);
          scan.scanRows(first, block);
          products.set(scan.products.subarray(0, block), first);
        }
        activate(products, 0, numFeatures, out, i * numFeatures);
      }
    },
  };
}
