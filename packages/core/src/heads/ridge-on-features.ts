/**
 * Ridge regression on random features: RanPAC. In the primal it takes any number of examples.
 * McDonnell et al., NeurIPS 2023, equation 6: `W = (H^T H + lambda I)^-1 H^T Y`. Leave-one-out, exact:
 * `e_i = (y_i - f_i) / (1 - w_i h_i^T (G + lambda I)^-1 h_i)`.
 * We differ: int8 features, balanced classes, lambda by generalised cross-validation instead of a held-out part; the dual where examples are fewer than features.
 */

import type { FitContext, FittedHead, Memory } from '../head.ts';
import { carriedGram } from '../memory/carried-gram.ts';
import { panelGram } from '../memory/panel-gram.ts';
import { tapFactors } from '../projection/integer-projection.ts';
import type { Projection, ProjectionInput } from '../projection/projection.ts';
import { integerBalanceWeights } from './class-balance.ts';
import type { Carried } from '../memory/carry.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { rowHash } from '../memory/match-rows.ts';
import { codeProducts } from './code-products.ts';
import { dualRidge } from './dual-ridge.ts';
import { leaveOneOutAccuracy, leaveOneOutRows, MAX_ENTRIES } from './leave-one-out.ts';
import { linearScoresInto, linearScoresMany, prepareLinearScores, type LinearScores } from './linear-scores.ts';
import { primalLambda, traceOf, type PrimalLambda } from './primal-ridge.ts';
import { crossOf, RidgeBase } from './ridge-base.ts';
import { passingSystems, type RidgeSystem, type RidgeSystems } from './ridge-systems.ts';
import { ridgeChange, rowKey, UpdatedRidge } from './ridge-update.ts';
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
/** Examples whose leave-one-out errors are solved at a time. */
const LEVERAGE_ROWS = 256;

/** Below, a solve from nothing takes some 50 ms. */
const LEAST_KEPT = 512;
/** Coefficients up to which a solved problem is kept for the next: 32 MB, and about twice as much for its factors. */
const MOST_KEPT = 2 ** 22;

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
  const problem = { memory, projection, parameters, context, given: options.lambda };
  const solved = await (numExamples < numFeatures ? solveDual(problem) : solvePrimal(problem));
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

interface Problem {
  readonly memory: Memory;
  readonly projection: Projection;
  /** What features depend on besides the codes. */
  readonly parameters: string;
  readonly context: FitContext;
  readonly given: number | undefined;
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
async function solveDual({ memory, projection, parameters, context, given }: Problem): Promise<SolvedFeatures> {
  const { numExamples, numClasses } = memory;
  const { numFeatures } = projection;
  const features = await carriedFeatures(projection, parameters, memory, context);
  const groups: TapGroup[] = [];
  for (let start = 0; start < numFeatures; start += BLOCK_ROWS) {
    groups.push({ start, width: Math.min(BLOCK_ROWS, numFeatures - start), weight: 1 });
  }
  const kernel = await codeProducts(features, numExamples, features, numExamples, numFeatures, groups, context);
  const { coefficients, lambda, tried, rows, leftOut } = await dualRidge(kernel, memory, context, given);
  const shape = { m: numClasses, n: numFeatures, k: numExamples, transposeA: true };
  const weights = await context.gemm.f64(coefficients, new Float64Array(features), shape);
  const linear = { width: numFeatures, numClasses, weights, offsets: new Float64Array(numClasses) };
  return { form: 'dual', linear, lambda, tried, rows, leftOut };
}

/** A solved primal problem: what its leave-one-out scores are made of. */
interface Primal extends PrimalLambda {
  /** Float64Array, numClasses x numFeatures. */
  readonly coefficients: Float64Array;
  readonly system: RidgeSystem;
  readonly featuresOf: (rows: Int32Array) => Promise<Int8Array>;
}

async function solvePrimal(problem: Problem): Promise<SolvedFeatures> {
  const { memory, projection, context } = problem;
  const { classIndices, counts, numClasses } = memory;
  const { numFeatures } = projection;
  // The balanced problem times one factor, in integers: neither the coefficients nor the relative lambda change by it.
  const weights = integerBalanceWeights(classIndices, counts);
  const solved = (await updatedPrimal(problem, weights)) ?? (await freshPrimal(problem, weights));
  const { coefficients, lambda, tried } = solved;
  const linear: LinearScores = {
    width: numFeatures,
    numClasses,
    // Scores round their weights in place.
    weights: coefficients.slice(),
    offsets: new Float64Array(numClasses),
  };
  // Leverages of as many examples as features cost three factorisations; 2,048 say enough of accuracy and confidence.
  const fewer = numFeatures > LARGEST_CARRIED ? LARGEST_LEVERAGES * numClasses : Infinity;
  const { leaveOneOutEntries } = context;
  const rows = leaveOneOutRows(memory, {
    leaveOneOutEntries: leaveOneOutEntries ?? Math.min(MAX_ENTRIES, fewer),
  });
  const leftOut = await leaveOneOutScores(problem, weights, solved, rows);
  return { form: 'primal', linear, lambda, tried, rows, leftOut };
}

/** From what an earlier state kept; undefined where there is none, or it is too far away. */
async function updatedPrimal(problem: Problem, weights: Float64Array): Promise<Primal | undefined> {
  const { memory, projection, parameters, context, given } = problem;
  const { codes, width, numClasses, numExamples } = memory;
  const { numFeatures: order } = projection;
  const carried = context.carry?.take<RidgeBase>('ridge', parameters, codes, width);
  if (carried === undefined || numClasses * order > MOST_KEPT) return undefined;
  const project = (some: Int8Array, count: number): Promise<Int8Array> => projection.project(some, count, context);
  const change = await ridgeChange(carried.value.sums, memory, carried.sources, weights, project);
  if (change === undefined) return undefined;
  const updated = await UpdatedRidge.of(carried.value, change, context);
  const moments = {
    order,
    numClasses,
    numExamples,
    trace: change.trace,
    cross: updated.cross,
    targetSquares: sum(weights),
    classSeeds: seedsOf(memory),
  };
  const chosen = await primalLambda(moments, updated.at, context, given);
  const coefficients = await updated.coefficients(chosen.absolute);
  if (coefficients === undefined) return undefined;
  const featuresOf = (rows: Int32Array): Promise<Int8Array> => project(chosenRows(codes, width, rows), rows.length);
  return { ...chosen, coefficients, system: await updated.at(chosen.absolute), featuresOf };
}

async function freshPrimal(problem: Problem, weights: Float64Array): Promise<Primal> {
  const { memory, projection, parameters, context, given } = problem;
  const { classIndices, numExamples, numClasses, codes } = memory;
  const { numFeatures: order } = projection;
  const features = await carriedFeatures(projection, parameters, memory, context);
  const gramRows = { rows: features, width: order, columns: order, weights };
  const gram =
    order > LARGEST_CARRIED
      ? await panelGram(features, weights, order, context)
      : await carriedGram('feature-gram', parameters, codes, gramRows, context);
  const classSums = await sumsByClass(memory, features, order, context);
  const classWeights = new Float64Array(numClasses);
  for (const [i, c] of classIndices.entries()) classWeights[c] = weights[i];
  const cross = await crossOf(classSums, classWeights, order, context);
  const trace = traceOf(gram, order);
  const kept =
    gram instanceof Float64Array && context.carry && order > LEAST_KEPT && cross.length <= MOST_KEPT
      ? new RidgeBase({ order, codes, classIndices, weights, classSums, gram, trace })
      : undefined;
  const systems: RidgeSystems = kept ? (lambda) => kept.at(lambda, context) : passingSystems(gram, order, context);
  // One-hot targets have length one.
  const targetSquares = sum(weights);
  const moments = { order, numClasses, numExamples, trace, cross, targetSquares, classSeeds: seedsOf(memory) };
  const chosen = await primalLambda(moments, systems, context, given);
  const system = await systems(chosen.absolute);
  const coefficients = kept
    ? await kept.coefficientsAt(chosen.absolute, context)
    : await system.solve(cross, numClasses);
  if (kept) context.carry?.put('ridge', parameters, codes, kept);
  return { ...chosen, coefficients, system, featuresOf: async (rows) => chosenRows(features, order, rows) };
}

/** The first example of each class. */
function seedsOf({ codes, width, classIndices, numClasses }: Memory): Int32Array {
  const seeds = new Int32Array(numClasses);
  for (let i = 0; i < classIndices.length; i++) {
    if (i === 0 || classIndices[i] !== classIndices[i - 1]) seeds[classIndices[i]] = rowHash(codes, i * width, width);
  }
  return seeds;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
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

/** Sums of the features of each class. Int32Array, numClasses x numFeatures. */
async function sumsByClass(
  { classIndices, numClasses }: Memory,
  features: Int8Array,
  numFeatures: number,
  { yieldToHost }: FitContext,
): Promise<Int32Array> {
  const sums = new Int32Array(numClasses * numFeatures);
  const turnRows = Math.max(1, Math.floor(TURN_FEATURES / numFeatures));
  for (let i = 0; i < classIndices.length; i++) {
    const from = i * numFeatures;
    const to = classIndices[i] * numFeatures;
    for (let m = 0; m < numFeatures; m++) sums[to + m] += features[from + m];
    if ((i + 1) % turnRows === 0) await yieldToHost?.();
  }
  return sums;
}

async function leaveOneOutScores(
  { memory, projection, context }: Problem,
  weights: Float64Array,
  { coefficients, system, featuresOf }: Primal,
  rows: Int32Array,
): Promise<Float64Array> {
  const { codes, width, classIndices, numClasses } = memory;
  const { numFeatures } = projection;
  const out = new Float64Array(rows.length * numClasses);
  for (let first = 0; first < rows.length; first += LEVERAGE_ROWS) {
    context.signal?.throwIfAborted();
    const block = rows.subarray(first, first + LEVERAGE_ROWS);
    const count = block.length;
    const right = new Float64Array(await featuresOf(block));
    await context.yieldToHost?.();
    const shape = { m: count, n: numClasses, k: numFeatures, transposeB: true };
    out.set(await context.gemm.f64(right, coefficients, shape), first * numClasses);
    const keys = Array.from(block, (i) => rowKey(codes, width, i));
    const leverage = await system.quadraticForms(right, count, keys);
    for (const [r, i] of block.entries()) {
      // Leverage is below one for any lambda above zero; rounding may bring it there.
      const left = Math.max(Number.EPSILON, 1 - weights[i] * leverage[r]);
      for (let c = 0, at = (first + r) * numClasses; c < numClasses; c++, at++) {
        const target = c === classIndices[i] ? 1 : 0;
        out[at] = target - (target - out[at]) / left;
      }
    }
  }
  return out;
}
