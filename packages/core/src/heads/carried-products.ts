/** Inner products of all examples with each other, carried from one state to the next: those of examples that came are worked out. */

import type { FitContext, Memory } from '../head.ts';
import { mirrorLower } from '../linalg/mirror-lower.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { codeProducts, lowerCodeProducts } from './code-products.ts';
import type { TapGroup } from './tap-weights.ts';

/** Examples up to which products are carried: 16 MB. */
export const MOST_CARRIED = 1448;
/** A state of more runs of examples that stayed in order is worked out anew. */
const MOST_RUNS = 64;

/** Examples `[at, at + length)` of the state, which were `[from, from + length)` of the one before. */
interface Run {
  readonly at: number;
  readonly from: number;
  readonly length: number;
}

/**
 * `codeProducts` of all examples with all, bit for bit.
 * @returns Float64Array, numExamples x numExamples; read it, it may be kept
 */
export async function carriedProducts(
  memory: Memory,
  groups: readonly TapGroup[],
  context: FitContext,
): Promise<Float64Array> {
  const { codes, width, numExamples: n } = memory;
  const { carry } = context;
  if (carry === undefined || n > MOST_CARRIED) return allProducts(memory, groups, context);
  const parameters = JSON.stringify(groups);
  const carried = carry.take<Float64Array>('code-products', parameters, codes, width);
  const products =
    (carried && (await productsFrom(carried.value, carried.sources, carried.numBefore, memory, groups, context))) ??
    (await allProducts(memory, groups, context));
  carry.put('code-products', parameters, codes, products);
  return products;
}

async function allProducts(
  { codes, width, numExamples }: Memory,
  groups: readonly TapGroup[],
  context: FitContext,
): Promise<Float64Array> {
  const products = await lowerCodeProducts(codes, numExamples, width, groups, context);
  await mirrorLower(products, numExamples, context);
  return products;
}

async function productsFrom(
  before: Float64Array,
  sources: Int32Array,
  numBefore: number,
  { codes, width, numExamples: n }: Memory,
  groups: readonly TapGroup[],
  context: FitContext,
): Promise<Float64Array | undefined> {
  const came: number[] = [];
  const runs: Run[] = [];
  for (let i = 0; i < n;) {
    let end = i + 1;
    if (sources[i] < 0) came.push(i);
    else {
      while (end < n && sources[end] === sources[end - 1] + 1) end++;
      runs.push({ at: i, from: sources[i], length: end - i });
    }
    i = end;
  }
  if (came.length > n / 4 || runs.length > MOST_RUNS) return undefined;
  if (came.length === 0 && runs.length === 1 && n === numBefore) return before;
  const products = new Float64Array(n * n);
  for (const rows of runs) {
    for (let r = 0; r < rows.length; r++) {
      const [to, from] = [(rows.at + r) * n, (rows.from + r) * numBefore];
      for (const run of runs) {
        products.set(before.subarray(from + run.from, from + run.from + run.length), to + run.at);
      }
    }
  }
  await context.yieldToHost?.();
  const own = await codeProducts(chosenRows(codes, width, came), came.length, codes, n, width, groups, context);
  for (const [k, i] of came.entries()) {
    products.set(own.subarray(k * n, (k + 1) * n), i * n);
    for (let j = 0; j < n; j++) products[j * n + i] = own[k * n + j];
  }
  return products;
}
