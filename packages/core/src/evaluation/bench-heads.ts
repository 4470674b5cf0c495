/** Runs every head on few-shot splits of ready embeddings: accuracies by split, side by side. */

import { expected } from '../errors.ts';
import type { Gemm } from '../gemm.ts';
import type { FitContext, Head, Memory } from '../head.ts';
import { headNamed } from '../heads/head-named.ts';
import { classCovariance, MIN_CLASS_EXAMPLES } from '../heads/class-covariance.ts';
import { discriminant } from '../heads/discriminant.ts';
import { kernelRidge } from '../heads/kernel-ridge.ts';
import { manyScores } from '../heads/many-scores.ts';
import { argmax } from '../heads/leave-one-out.ts';
import { nearestClassMean } from '../heads/nearest-class-mean.ts';
import { nearestExamples } from '../heads/nearest-examples.ts';
import { projectedRidge } from '../heads/projected-ridge.ts';
import { createWasmGemm } from '../linalg/wasm-gemm.ts';
import { encodeCodes } from '../memory/codes.ts';
import { memoryFromCodes } from '../memory/from-codes.ts';
import type { AbortSignalLike } from '../platform.ts';

export interface LabelledFeatures {
  /** `[n, dim]` or `[n, taps, dim]`. */
  readonly shape: readonly number[];
  /** n class numbers. */
  readonly labels: readonly number[];
  /** Float32Array of the shape, row-major, any length a row; not changed. */
  readonly data: Float32Array;
}

export interface FewShotSplit {
  readonly shots: number;
  readonly seed: number;
  /** Rows to learn from, and rows to test on. */
  readonly train: readonly number[];
  readonly test: readonly number[];
}

export interface BenchOptions {
  /** Names out of `BENCH_HEADS`; default those that are not extra. */
  readonly heads?: readonly string[];
  readonly gemm?: Gemm;
  readonly yieldToHost?: () => Promise<void>;
  readonly signal?: AbortSignalLike;
}

export interface BenchResult {
  readonly shots: number;
  readonly seed: number;
  /** Test accuracy by head, from 0 to 1; a head that the split cannot carry is absent. */
  readonly heads: Readonly<Record<string, number>>;
}

interface BenchEntry {
  readonly make: () => Head;
  /** Takes all taps: left out where there is one. */
  readonly deep?: boolean;
  /** Run only when named. */
  readonly extra?: boolean;
  readonly minExamples?: number;
}

/** Names as benchmarks of few-shot heads use them: `deep-` for all taps, else the last class token alone. */
const ENTRIES: ReadonlyMap<string, BenchEntry> = new Map<string, BenchEntry>([
  ['auto', { make: () => headNamed('auto') }],
  ['ncm', { make: () => nearestClassMean({ taps: 'last' }) }],
  ['knn5', { make: () => nearestExamples({ taps: 'last', k: 5 }) }],
  ['lda-oas', { make: () => discriminant({ taps: 'last', shrinkage: 'oas' }) }],
  ['lda-ks', { make: () => discriminant({ taps: 'last' }) }],
  ['linear-ridge', { make: () => kernelRidge({ taps: 'last', kernel: 'linear' }) }],
  ['krr-inf', { make: () => kernelRidge({ taps: 'last' }) }],
  ['ranpac10k', { make: () => projectedRidge({ taps: 'last', numFeatures: 10_000 }) }],
  ['deep-ncm', { deep: true, make: () => nearestClassMean() }],
  ['deep-lda-oas', { deep: true, make: () => discriminant({ shrinkage: 'oas' }) }],
  ['deep-lda-ks', { deep: true, make: () => discriminant() }],
  ['deep-krr-inf', { deep: true, make: () => kernelRidge() }],
  ['ncm-euclidean', { extra: true, make: () => nearestClassMean({ taps: 'last', metric: 'euclidean' }) }],
  ['lda-lw', { extra: true, make: () => discriminant({ taps: 'last', shrinkage: 'ledoit-wolf' }) }],
  ['krr-rbf', { extra: true, make: () => kernelRidge({ taps: 'last', kernel: 'rbf' }) }],
  ['ranpac2k', { extra: true, make: () => projectedRidge({ taps: 'last', numFeatures: 2048 }) }],
  ['top-k', { extra: true, make: () => projectedRidge({ taps: 'last', projection: 'sparse-top-k' }) }],
  ['fourier', { extra: true, make: () => projectedRidge({ taps: 'last', projection: 'random-fourier' }) }],
  ['fecam', { extra: true, minExamples: MIN_CLASS_EXAMPLES, make: () => classCovariance() }],
]);

/** Every name that `heads` may hold. */
export const BENCH_HEADS: readonly string[] = [...ENTRIES.keys()];

/**
 * Fits and tests heads on each split in turn, yielding after each. Embeddings are encoded as the classifier stores them.
 * A test row whose class has no training row counts as wrong.
 * @throws INVALID_ARGUMENT for shapes, rows or names that do not fit; INVALID_EMBEDDING for NaN, infinity or zero vectors
 */
export async function* benchHeads(
  features: LabelledFeatures,
  splits: readonly FewShotSplit[],
  options: BenchOptions = {},
): AsyncGenerator<BenchResult, void, undefined> {
  const { yieldToHost, gemm = createWasmGemm(yieldToHost), signal } = options;
  const context: FitContext = { gemm, ...(yieldToHost && { yieldToHost }), ...(signal && { signal }) };
  const { labels, shape } = features;
  const [numRows, taps, dim] = checkShape(features);
  const names = options.heads ?? BENCH_HEADS.filter((name) => !ENTRIES.get(name)?.extra);
  const entries = names.map((name): [string, BenchEntry] => {
    const entry = ENTRIES.get(name);
    if (entry === undefined) throw expected('heads', `names out of ${BENCH_HEADS.join(', ')}`, name);
    return [name, entry];
  });
  const codes = encodeCodes(features.data, numRows, taps, dim);
  for (const [index, { shots, seed, train, test }] of splits.entries()) {
    signal?.throwIfAborted();
    checkRows(train, shape[0], `splits[${index}].train`);
    checkRows(test, shape[0], `splits[${index}].test`);
    const classes = [...new Set(train.map((row) => labels[row]))].sort((a, b) => a - b);
    const classIndexOf = new Map(classes.map((label, classIndex) => [label, classIndex]));
    const owners = train.map((row) => classIndexOf.get(labels[row]) as number);
    const memory = memoryFromCodes(takeRows(codes, train, taps * dim), owners, taps, dim);
    const queries = takeRows(codes, test, taps * dim);
    const truth = test.map((row) => classIndexOf.get(labels[row]) ?? -1);
    const heads: Record<string, number> = {};
    for (const [name, { make, deep = false, minExamples = 1 }] of entries) {
      if ((deep && taps === 1) || memory.counts.some((count) => count < minExamples)) continue;
      heads[name] = await testAccuracy(make(), memory, queries, truth, context);
      await yieldToHost?.();
    }
    yield { shots, seed, heads };
  }
}

async function testAccuracy(
  head: Head,
  memory: Memory,
  queries: Int8Array,
  truth: readonly number[],
  context: FitContext,
): Promise<number> {
  const fitted = await head.fit(memory, context);
  const { numClasses } = memory;
  const scores = await manyScores(fitted, queries, truth.length);
  let right = 0;
  for (const [q, own] of truth.entries()) if (argmax(scores, q * numClasses, numClasses) === own) right++;
  return right / truth.length;
}

function takeRows(codes: Int8Array, rows: readonly number[], width: number): Int8Array {
  const taken = new Int8Array(rows.length * width);
  for (const [i, row] of rows.entries()) taken.set(codes.subarray(row * width, (row + 1) * width), i * width);
  return taken;
}

/** [rows, taps, dim]. */
function checkShape({ shape, labels, data }: LabelledFeatures): [number, number, number] {
  const whole = shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!whole || shape.length < 2 || shape.length > 3)
    throw expected('shape', '[n, dim] or [n, taps, dim]', shape.join(' x '));
  const size = shape.reduce((product, length) => product * length, 1);
  if (data.length !== size) throw expected('data', `${shape.join(' x ')} = ${size} values`, data);
  if (labels.length !== shape[0]) throw expected('labels', `${shape[0]} labels, one a row`, labels);
  return shape.length === 2 ? [shape[0], 1, shape[1]] : [shape[0], shape[1], shape[2]];
}

function checkRows(rows: readonly number[], numRows: number, name: string): void {
  if (rows.length === 0) throw expected(name, 'at least one row', rows);
  const wrong = rows.find((row) => !(Number.isSafeInteger(row) && row >= 0 && row < numRows));
  if (wrong !== undefined) throw expected(name, `rows from 0 to ${numRows - 1}`, wrong);
}
