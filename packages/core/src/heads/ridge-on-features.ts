/**
 * Ridge regression on random features: RanPAC. In the primal it takes any number of examples.
 * McDonnell et al., NeurIPS 2023, equation 6: `W = (H^T H + lambda I)^-1 H^T Y`. Leave-one-out, exact:
 * `e_i = (y_i - f_i) / (1 - w_i h_i^T (G + lambda I)^-1 h_i)`.
 * We differ: int8 features, balanced classes, lambda by generalised cross-validation instead of a held-out part; the dual where examples are fewer than features.
 */

import type { FitContext, FittedHead, Memory } from '../head.ts';
import { writeProduct } from '../linalg/products-in-place.ts';
import { tapFactors } from '../projection/integer-projection.ts';
import type { Projection, ProjectionInput } from '../projection/projection.ts';
import { integerBalanceWeights } from './class-balance.ts';
import { rowKey } from '../memory/match-rows.ts';
import { carriedFeatures } from './carried-features.ts';
import { codeProducts, codeSquares } from './code-products.ts';
import { dualRidge } from './dual-ridge.ts';
import { choiceInWords } from './lambda-search.ts';
import { leaveOneOutAccuracy, leaveOneOutRows, MAX_ENTRIES } from './leave-one-out.ts';
import { LinearScores } from './linear-scores.ts';
import { freshPrimal, LARGEST_CARRIED, updatedPrimal, type Primal, type Problem } from './primal-on-features.ts';
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
/** Examples whose leave-one-out errors are solved at a time. */
const LEVERAGE_ROWS = 128;

/** Examples whose leverage is solved for at such sizes, unless the caller asks for more. */
const LARGEST_LEVERAGES = 1024;

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
  const make = (): Projection => projectionOf(input, numFeatures, seed);
  await context.yieldToHost?.();
  const made = JSON.stringify([name, memory.taps, memory.dim, [...input.tapWeights], numFeatures, seed]);
  const projection = context.carry?.once('projection', made, make) ?? make();
  await context.yieldToHost?.();
  const parameters = JSON.stringify([projection.name, projection.parameters, [...tapFactors(input).factors]]);
  const problem = { memory, projection, parameters, context, given: options.lambda };
  const solved = await (numExamples < numFeatures ? solveDual(problem) : solvePrimal(problem));
  const { weights, lambda, tried, rows, leftOut, form } = solved;
  const linear = await LinearScores.of({ width: numFeatures, numClasses, weights }, context);
  const measured = leaveOneOutAccuracy(leftOut, rows, memory.classIndices, memory.counts);
  const { gemm, yieldToHost } = context;
  const rule = form === 'dual' ? 'squared leave-one-out error' : 'generalised cross-validation error';
  return {
    report: {
      head: name,
      parameters: { ...projection.parameters, projection: projection.name, lambda, form },
      ...(measured && { leaveOneOutAccuracy: measured.accuracy }),
      reason: `Ridge on ${numFeatures} random features, ${choiceInWords({ lambda, tried }, rule)}.`,
    },
    numClasses,
    leaveOneOutRows: rows,
    leaveOneOut: () => leftOut,
    scoresInto(queries, numQueries, out) {
      const projected = new Int8Array(numQueries * numFeatures);
      projection.projectInto(queries, numQueries, projected);
      linear.scoresInto(projected, numQueries, out);
    },
    async scores(queries, numQueries) {
      const out = new Float64Array(numQueries * numClasses);
      for (let first = 0; first < numQueries; first += BLOCK_ROWS) {
        const count = Math.min(BLOCK_ROWS, numQueries - first);
        const block = queries.subarray(first * width, (first + count) * width);
        const projected = await projection.project(block, count, { gemm, ...(yieldToHost && { yieldToHost }) });
        out.set(await linear.scores(projected, count, { gemm }), first * numClasses);
      }
      return out;
    },
  };
}

interface SolvedFeatures {
  readonly form: 'primal' | 'dual';
  /** Float64Array, numClasses x numFeatures. */
  readonly weights: Float64Array;
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
  const kernel = {
    diagonal: codeSquares(features, numExamples, numFeatures, groups),
    between: (): Promise<Float64Array> =>
      codeProducts(features, numExamples, features, numExamples, numFeatures, groups, context),
  };
  const { coefficients, lambda, tried, rows, leftOut } = await dualRidge(kernel, memory, context, given);
  const shape = { m: numClasses, n: numFeatures, k: numExamples, transposeA: true };
  const weights = await context.gemm.f64(coefficients, new Float64Array(features), shape);
  return { form: 'dual', weights, lambda, tried, rows, leftOut };
}

async function solvePrimal(problem: Problem): Promise<SolvedFeatures> {
  const { memory, projection, context } = problem;
  const { classIndices, counts, numClasses } = memory;
  const { numFeatures } = projection;
  // The balanced problem times one factor, in integers: neither the coefficients nor the relative lambda change by it.
  const weights = integerBalanceWeights(classIndices, counts);
  const solved = (await updatedPrimal(problem, weights)) ?? (await freshPrimal(problem, weights));
  const { coefficients, lambda, tried } = solved;
  // Leverages of as many examples as features cost three factorisations; 1,024 say enough of accuracy and confidence.
  const fewer = numFeatures > LARGEST_CARRIED ? LARGEST_LEVERAGES * numClasses : Infinity;
  const { leaveOneOutEntries } = context;
  const rows = leaveOneOutRows(memory, {
    leaveOneOutEntries: leaveOneOutEntries ?? Math.min(MAX_ENTRIES, fewer),
  });
  const leftOut = await leaveOneOutScores(problem, weights, solved, rows);
  return { form: 'primal', weights: coefficients, lambda, tried, rows, leftOut };
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
    const own = out.subarray(first * numClasses, (first + count) * numClasses);
    await writeProduct(own, right, coefficients, shape, context);
    await context.yieldToHost?.();
    const keys = Array.from(block, (i) => rowKey(codes, width, i));
    await context.yieldToHost?.();
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
