/**
 * Ridge regression on random features: RanPAC. In the primal it takes any number of examples.
 * McDonnell et al., NeurIPS 2023, equation 6: `W = (H^T H + lambda I)^-1 H^T Y`. Leave-one-out, exact:
 * `e_i = (y_i - f_i) / (1 - w_i h_i^T (G + lambda I)^-1 h_i)`.
 * We differ: int8 features, balanced classes, lambda by generalised cross-validation instead of a held-out part; the dual where examples are fewer than features.
 */

import type { FitContext, FittedHead, Memory } from '../head.ts';
import type { FactoredSystem } from '../linalg/factored-system.ts';
import { carriedGram } from '../memory/carried-gram.ts';
import { panelGram } from '../memory/panel-gram.ts';
import { tapFactors } from '../projection/integer-projection.ts';
import type { Projection, ProjectionInput } from '../projection/projection.ts';
import { integerBalanceWeights } from './class-balance.ts';
import type { Carried } from '../memory/carry.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { transpose } from '../linalg/transpose.ts';
import { codeProducts } from './code-products.ts';
import { dualRidge } from './dual-ridge.ts';
import { leaveOneOutAccuracy, leaveOneOutRows, MAX_ENTRIES } from './leave-one-out.ts';
import { linearScoresInto, linearScoresMany, prepareLinearScores, type LinearScores } from './linear-scores.ts';
import { primalRidge } from './primal-ridge.ts';
import { tapWeights, type TapChoice, type TapGroup } from './tap-weights.ts';

export interface RidgeOnFeaturesOptions {
  /** M, from 512 to 16,384. Default 4096. */
  readonly numFeatures?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Which taps, default `all`. */
  readonly taps?: TapChoice;
  /** Relative to the features' mean squared length; default by generalised cross-validation. */
  readonly lambda?: number;
}

/** The head `projected-ridge`, as another head uses it. */
export interface RidgeOnFeatures {
  fit(memory: Memory, options: RidgeOnFeaturesOptions, context: FitContext): Promise<FittedHead>;
}

/** Queries projected at a time. */
const BLOCK_ROWS = 1024;
/** Features summed between two turns of the host. */
const TURN_FEATURES = 2 ** 22;
/** Examples whose leave-one-out errors are solved at a time: columns of the right-hand side. */
const LEVERAGE_ROWS = 256;

/** The Gram matrix of more features takes over 200 MB: its lower half alone is kept, for one solve. */
const LARGEST_CARRIED = 5120;
/** Examples whose leverage is solved for at such sizes, unless the caller asks for more. */
const LARGEST_LEVERAGES = 2048;

/**
 * @param name of the head, for its report
 * @param projectionOf makes the projection of `numFeatures` features
 */
export async function fitRidgeOnFeatures(
  name: string,
  projectionOf: (input: ProjectionInput, numFeatures: number, seed: number) => Projection,
  memory: Memory,
  options: RidgeOnFeaturesOptions,
  context: FitContext,
): Promise<FittedHead> {
  const { numFeatures = 4096, seed = 1, taps = 'all' } = options;
  const { numExamples, numClasses, width } = memory;
  const input = { taps: memory.taps, dim: memory.dim, tapWeights: tapWeights(memory.taps, taps) };
  const projection = projectionOf(input, numFeatures, seed);
  await context.yieldToHost?.();
  const parameters = JSON.stringify([projection.name, projection.parameters, [...tapFactors(input).factors]]);
  const features = await carriedFeatures(projection, parameters, memory, context);
  const solved =
    numExamples < numFeatures
      ? await solveDual(memory, features, numFeatures, context, options.lambda)
      : await solvePrimal(memory, features, numFeatures, parameters, context, options.lambda);
  const { linear, lambda, tried, rows, leftOut, form } = solved;
  await prepareLinearScores(linear, context);
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
        out.set(await linearScoresMany(linear, projected, count, { gemm }), first * numClasses);
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
  parameters: string,
  context: FitContext,
  given: number | undefined,
): Promise<SolvedFeatures> {
  const { classIndices, counts, numExamples, numClasses } = memory;
  // The balanced problem times one factor, in integers: neither the coefficients nor the relative lambda change by it.
  const weights = integerBalanceWeights(classIndices, counts);
  const gramRows = { rows: features, width: numFeatures, columns: numFeatures, weights };
  const gram =
    numFeatures > LARGEST_CARRIED
      ? await panelGram(features, weights, numFeatures, context)
      : await carriedGram('feature-gram', parameters, memory.codes, gramRows, context);
  const cross = await crossProducts(memory, features, numFeatures, weights, context);
  // One-hot targets have length one.
  const targetSquares = weights.reduce((sum, weight) => sum + weight, 0);
  const moments = { order: numFeatures, numClasses, numExamples, gram, cross, targetSquares };
  const { coefficients, system, lambda, tried } = await primalRidge(moments, context, given);
  const linear: LinearScores = {
    width: numFeatures,
    numClasses,
    weights: transpose(coefficients, numFeatures, numClasses),
    offsets: new Float64Array(numClasses),
  };
  // Leverages of as many examples as features cost three factorisations; 2,048 say enough of accuracy and confidence.
  const fewer = numFeatures > LARGEST_CARRIED ? LARGEST_LEVERAGES * numClasses : Infinity;
  const { leaveOneOutEntries } = context;
  const rows = leaveOneOutRows(memory, {
    leaveOneOutEntries: leaveOneOutEntries ?? Math.min(MAX_ENTRIES, fewer),
  });
  const leftOut = await leaveOneOutScores(memory, features, weights, coefficients, system, rows, context);
  return { form: 'primal', linear, lambda, tried, rows, leftOut };
}

/** Features of all examples; those of examples that the last solve saw are copied. */
async function carriedFeatures(
  projection: Projection,
  parameters: string,
  { codes, width, numExamples }: Memory,
  context: FitContext,
): Promise<Int8Array> {
  const carried = context.carry?.take<Int8Array>('features', parameters, codes, width);
  const features = carried
    ? await featuresFrom(projection, codes, width, carried, context)
    : await projection.project(codes, numExamples, context);
  context.carry?.put('features', parameters, codes, features);
  return features;
}

async function featuresFrom(
  projection: Projection,
  codes: Int8Array,
  width: number,
  { value: before, sources }: Carried<Int8Array>,
  context: FitContext,
): Promise<Int8Array> {
  const { numFeatures } = projection;
  const features = new Int8Array(sources.length * numFeatures);
  const fresh: number[] = [];
  const turnRows = Math.max(1, Math.floor(TURN_FEATURES / numFeatures));
  for (const [i, from] of sources.entries()) {
    if (from < 0) fresh.push(i);
    else features.set(before.subarray(from * numFeatures, (from + 1) * numFeatures), i * numFeatures);
    if ((i + 1) % turnRows === 0) await context.yieldToHost?.();
  }
  const chosen = chosenRows(codes, width, fresh);
  const projected = await projection.project(chosen, fresh.length, context);
  for (const [r, i] of fresh.entries()) {
    features.set(projected.subarray(r * numFeatures, (r + 1) * numFeatures), i * numFeatures);
  }
  return features;
}

/** `sum_i w_i f_i y_i^T`, numFeatures x numClasses: exact integers. */
async function crossProducts(
  { classIndices, numClasses }: Memory,
  features: Int8Array,
  numFeatures: number,
  weights: Float64Array,
  context: FitContext,
): Promise<Float64Array> {
  // Examples of a class have one weight: small integers are summed first.
  const sums = new Int32Array(numClasses * numFeatures);
  const classWeights = new Float64Array(numClasses);
  const turnRows = Math.max(1, Math.floor(TURN_FEATURES / numFeatures));
  for (let i = 0; i < classIndices.length; i++) {
    const from = i * numFeatures;
    const to = classIndices[i] * numFeatures;
    classWeights[classIndices[i]] = weights[i];
    for (let m = 0; m < numFeatures; m++) sums[to + m] += features[from + m];
    if ((i + 1) % turnRows === 0) await context.yieldToHost?.();
  }
  const byClass = new Float64Array(sums.length);
  for (let c = 0; c < numClasses; c++) {
    for (let at = c * numFeatures; at < (c + 1) * numFeatures; at++) byClass[at] = classWeights[c] * sums[at];
    if ((c + 1) % turnRows === 0) await context.yieldToHost?.();
  }
  return transpose(byClass, numClasses, numFeatures);
}

async function leaveOneOutScores(
  { classIndices, numClasses }: Memory,
  features: Int8Array,
  weights: Float64Array,
  coefficients: Float64Array,
  system: FactoredSystem,
  rows: Int32Array,
  context: FitContext,
): Promise<Float64Array> {
  const numFeatures = features.length / classIndices.length;
  const out = new Float64Array(rows.length * numClasses);
  for (let first = 0; first < rows.length; first += LEVERAGE_ROWS) {
    context.signal?.throwIfAborted();
    const count = Math.min(LEVERAGE_ROWS, rows.length - first);
    const chosen = new Float64Array(count * numFeatures);
    for (let r = 0; r < count; r++) {
      const i = rows[first + r];
      chosen.set(features.subarray(i * numFeatures, (i + 1) * numFeatures), r * numFeatures);
    }
    await context.yieldToHost?.();
    const right = transpose(chosen, count, numFeatures);
    await context.yieldToHost?.();
    const shape = { m: count, n: numClasses, k: numFeatures, transposeA: true };
    out.set(await context.gemm.f64(right, coefficients, shape), first * numClasses);
    const leverage = await system.quadraticForms(right, count);
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
