/**
 * Ridge regression on random features: RanPAC. In the primal it takes any number of examples.
 * McDonnell et al., NeurIPS 2023, equation 6: `W = (H^T H + lambda I)^-1 H^T Y`. Leave-one-out, exact:
 * `e_i = (y_i - f_i) / (1 - w_i h_i^T (G + lambda I)^-1 h_i)`.
 * We differ: int8 features, balanced classes, lambda by generalised cross-validation instead of a held-out part; the dual where examples are fewer than features.
 */

import type { FitContext, FittedHead, Head, Memory } from '../head.ts';
import { solveLower, type CholeskyFactor } from '../linalg/cholesky.ts';
import { codeGram } from '../memory/gram.ts';
import { rademacherRelu } from '../projection/rademacher-relu.ts';
import { randomFourier } from '../projection/random-fourier.ts';
import { sparseTopK } from '../projection/sparse-top-k.ts';
import { balanceWeights } from './class-balance.ts';
import { codeProducts } from './code-products.ts';
import { dualRidge } from './dual-ridge.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { linearScoresInto, type LinearScores } from './linear-scores.ts';
import { primalRidge } from './primal-ridge.ts';
import { tapWeights, type TapChoice, type TapGroup } from './tap-weights.ts';

export interface ProjectedRidgeOptions {
  /** Default `rademacher-relu` (RanPAC). */
  readonly projection?: 'rademacher-relu' | 'sparse-top-k' | 'random-fourier';
  /** M, from 512 to 16,384. Default 4096. */
  readonly numFeatures?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Which taps, default `all`. */
  readonly taps?: TapChoice;
  /** Relative to the features' mean squared length; default by generalised cross-validation. */
  readonly lambda?: number;
}

/** Queries projected at a time, and examples whose leave-one-out errors are solved at a time. */
const BLOCK_ROWS = 1024;

const PROJECTIONS = { 'rademacher-relu': rademacherRelu, 'sparse-top-k': sparseTopK, 'random-fourier': randomFourier };

/** The head `projected-ridge`, or with another projection `projected-ridge-sparse-top-k`, `projected-ridge-random-fourier`. */
export function projectedRidge(options: ProjectedRidgeOptions = {}): Head {
  const { projection = 'rademacher-relu' } = options;
  const name = projection === 'rademacher-relu' ? 'projected-ridge' : `projected-ridge-${projection}`;
  return { name, fit: (memory, context) => fitProjectedRidge(name, memory, options, context) };
}

async function fitProjectedRidge(
  name: string,
  memory: Memory,
  options: ProjectedRidgeOptions,
  context: FitContext,
): Promise<FittedHead> {
  const { numFeatures = 4096, seed = 1, taps = 'all' } = options;
  const { numExamples, numClasses, width } = memory;
  const input = { taps: memory.taps, dim: memory.dim, tapWeights: tapWeights(memory.taps, taps) };
  const projection = PROJECTIONS[options.projection ?? 'rademacher-relu'](input, numFeatures, seed);
  const features = await projection.project(memory.codes, numExamples, context);
  const solved =
    numExamples < numFeatures
      ? await solveDual(memory, features, numFeatures, context, options.lambda)
      : await solvePrimal(memory, features, numFeatures, context, options.lambda);
  const { linear, lambda, tried, rows, leftOut, form } = solved;
  const measured = leaveOneOutAccuracy(leftOut, rows, memory.classIndices, memory.counts);
  const { gemm, yieldToHost } = context;
  const rule = form === 'dual' ? 'leave-one-out squared error' : 'generalised cross-validation';
  return {
    report: {
      head: name,
      parameters: { ...projection.parameters, projection: projection.name, lambda, form },
      ...(measured && { leaveOneOutAccuracy: measured.accuracy }),
      reason:
        tried === 0
          ? `Ridge on ${numFeatures} random features with the given lambda ${lambda}.`
          : `Ridge on ${numFeatures} random features: of ${tried} values tried, ${rule} is least at lambda ${lambda.toPrecision(2)}.`,
    },
    numClasses,
    leaveOneOutRows: rows,
    leaveOneOut: () => leftOut,
    scoresInto(queries, numQueries, out) {
      const projected = new Int8Array(numQueries * numFeatures);
      projection.projectInto(queries, numQueries, projected);
      linearScoresInto(linear, projected, numQueries, out);
    },
    async scores(queries, numQueries) {
      const out = new Float64Array(numQueries * numClasses);
      for (let first = 0; first < numQueries; first += BLOCK_ROWS) {
        const count = Math.min(BLOCK_ROWS, numQueries - first);
        const block = queries.subarray(first * width, (first + count) * width);
        const projected = await projection.project(block, count, { gemm, ...(yieldToHost && { yieldToHost }) });
        linearScoresInto(linear, projected, count, out.subarray(first * numClasses));
      }
      return out;
    },
  };
}

interface SolvedFeatures {
  readonly form: 'primal' | 'dual';
  readonly linear: LinearScores;
  readonly lambda: number;
  readonly tried: number;
  readonly rows: Int32Array;
  readonly leftOut: Float64Array;
}

/** Fewer examples than features: the kernel matrix of the features is smaller than their Gram matrix. */
async function solveDual(
  memory: Memory,
  features: Int8Array,
  numFeatures: number,
  context: FitContext,
  given: number | undefined,
): Promise<SolvedFeatures> {
  const { numExamples, numClasses } = memory;
  const groups: TapGroup[] = [];
  for (let start = 0; start < numFeatures; start += BLOCK_ROWS) {
    groups.push({ start, width: Math.min(BLOCK_ROWS, numFeatures - start), weight: 1 });
  }
  const kernel = await codeProducts(features, numExamples, features, numExamples, numFeatures, groups, context);
  const { coefficients, lambda, tried, rows, leftOut } = await dualRidge(kernel, memory, context, given);
  const shape = { m: numClasses, n: numFeatures, k: numExamples, transposeA: true };
  const weights = await context.gemm.f64(coefficients, Float64Array.from(features), shape);
  const linear = { width: numFeatures, numClasses, weights, offsets: new Float64Array(numClasses) };
  return { form: 'dual', linear, lambda, tried, rows, leftOut };
}

async function solvePrimal(
  memory: Memory,
  features: Int8Array,
  numFeatures: number,
  context: FitContext,
  given: number | undefined,
): Promise<SolvedFeatures> {
  const { classIndices, counts, numExamples, numClasses } = memory;
  const weights = balanceWeights(classIndices, counts);
  const cross = new Float64Array(numFeatures * numClasses);
  for (let i = 0; i < numExamples; i++) {
    const from = i * numFeatures;
    for (let m = 0, at = classIndices[i]; m < numFeatures; m++, at += numClasses) {
      cross[at] += weights[i] * features[from + m];
    }
  }
  const gram = await weightedGram(features, weights, numFeatures, context);
  // Balanced weights add up to the number of examples, and one-hot targets have length one.
  const moments = { order: numFeatures, numClasses, numExamples, gram, cross, targetSquares: numExamples };
  const { coefficients, factor, lambda, tried } = await primalRidge(moments, context, given);
  const linear: LinearScores = {
    width: numFeatures,
    numClasses,
    weights: transpose(coefficients, numFeatures, numClasses),
    offsets: new Float64Array(numClasses),
  };
  const rows = leaveOneOutRows(numExamples, numClasses);
  const leftOut = await leaveOneOutScores(memory, features, weights, coefficients, factor, rows, context);
  return { form: 'primal', linear, lambda, tried, rows, leftOut };
}

function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j];
  return out;
}

/** `sum_i w_i f_i f_i^T`: exact integers in f32 where all classes are of one size, else products of scaled rows in f64. */
async function weightedGram(
  features: Int8Array,
  weights: Float64Array,
  numFeatures: number,
  context: FitContext,
): Promise<Float64Array> {
  const count = weights.length;
  if (weights.every((weight) => weight === weights[0])) return codeGram(features, count, numFeatures, context);
  const gram = new Float64Array(numFeatures * numFeatures);
  for (let first = 0; first < count; first += BLOCK_ROWS) {
    context.signal?.throwIfAborted();
    const rows = Math.min(BLOCK_ROWS, count - first);
    const block = new Float64Array(rows * numFeatures);
    for (let i = 0; i < rows; i++) {
      const root = Math.sqrt(weights[first + i]);
      const from = (first + i) * numFeatures;
      for (let m = 0; m < numFeatures; m++) block[i * numFeatures + m] = root * features[from + m];
    }
    const shape = { m: numFeatures, n: numFeatures, k: rows, transposeA: true };
    const product = await context.gemm.f64(block, block, shape);
    for (let i = 0; i < gram.length; i++) gram[i] += product[i];
    await context.yieldToHost?.();
  }
  return gram;
}

async function leaveOneOutScores(
  { classIndices, numClasses }: Memory,
  features: Int8Array,
  weights: Float64Array,
  coefficients: Float64Array,
  factor: CholeskyFactor,
  rows: Int32Array,
  context: FitContext,
): Promise<Float64Array> {
  const numFeatures = factor.order;
  const out = new Float64Array(rows.length * numClasses);
  for (let first = 0; first < rows.length; first += BLOCK_ROWS) {
    context.signal?.throwIfAborted();
    const count = Math.min(BLOCK_ROWS, rows.length - first);
    const right = new Float64Array(numFeatures * count);
    for (let r = 0; r < count; r++) {
      const i = rows[first + r];
      const feature = features.subarray(i * numFeatures, (i + 1) * numFeatures);
      for (let m = 0; m < numFeatures; m++) right[m * count + r] = feature[m];
    }
    const shape = { m: count, n: numClasses, k: numFeatures, transposeA: true };
    out.set(await context.gemm.f64(right, coefficients, shape), first * numClasses);
    const solved = await solveLower(factor, right, count, context);
    const leverage = new Float64Array(count);
    for (let at = 0; at < solved.length;) for (let r = 0; r < count; r++, at++) leverage[r] += solved[at] * solved[at];
    for (let r = 0; r < count; r++) {
      const i = rows[first + r];
      // Leverage is below one for any lambda above zero; rounding may bring it there.
      const left = Math.max(Number.EPSILON, 1 - weights[i] * leverage[r]);
      for (let c = 0; c < numClasses; c++) {
        const at = (first + r) * numClasses + c;
        const target = c === classIndices[i] ? 1 : 0;
        out[at] = target - (target - out[at]) / left;
      }
    }
  }
  return out;
}
