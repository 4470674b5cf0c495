/**
 * Inner products `<u, v>_P = u^T (scatterWeight * scatter + ridge I)^-1 v` of examples and class means, in the form that
 * is smaller: primal (width x width) or dual (examples x examples, by Woodbury's identity).
 */

import type { FitContext, Memory, StatisticsMemory } from '../head.ts';
import { choleskyFactor } from '../linalg/cholesky.ts';
import { forward, solveLower, solveUpper } from '../linalg/cholesky-solve.ts';
import { columnSquares } from '../linalg/column-squares.ts';
import { transpose } from '../linalg/transpose.ts';
import { carriedGram } from '../memory/carried-gram.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { classMeans } from './class-balance.ts';
import { codeProducts } from './code-products.ts';
import { shrinkPrecision, type Shrinkage, type ShrunkPrecision } from './shrinkage.ts';
import { columnScales, weightedRows, type TapGroup } from './tap-weights.ts';

export interface WithinClassProducts {
  readonly form: 'primal' | 'dual';
  readonly precision: ShrunkPrecision;
  /** Float64Array, columns x numClasses: `P m_c`, over the weighted columns. */
  readonly classWeights: Float64Array;
  /** Float64Array, numClasses: `<m_c, m_c>_P`. */
  readonly meanSquares: Float64Array;
  /** Float64Array, rows x numClasses: `<x_i, m_c>_P`. */
  readonly exampleMeans: Float64Array;
  /** Float64Array, rows x numClasses: `<x_i - m_own, m_c>_P`. */
  readonly deviationMeans: Float64Array;
  /** Float64Array, rows: `<x_i, x_i>_P`. */
  readonly exampleSquares: Float64Array;
}

/** Squared lengths are near one: a scatter below this share of them is rounding, all examples of a class being alike. */
const ROUNDING = 1e-12;

/**
 * `<x_i - m_own, m_c>` from `<x_i, m_c>`, of which the means of the examples' own classes are taken off.
 * @param exampleMeans Float64Array, own.length x numClasses
 * @param solvedMeans Float64Array, height x numClasses: columns whose inner products are those of the means
 * @returns Float64Array, own.length x numClasses; the caller owns it
 */
async function lessOwnMeans(
  exampleMeans: Float64Array,
  solvedMeans: Float64Array,
  numClasses: number,
  own: Int32Array,
  { gemm }: FitContext,
): Promise<Float64Array> {
  const present = Int32Array.from(new Set(own));
  const places = new Int32Array(numClasses);
  present.forEach((c, at) => (places[c] = at));
  const height = solvedMeans.length / numClasses;
  const count = present.length;
  const chosen = new Float64Array(height * count);
  for (let i = 0; i < height; i++) {
    for (let u = 0; u < count; u++) chosen[i * count + u] = solvedMeans[i * numClasses + present[u]];
  }
  const between = await gemm.f64(chosen, solvedMeans, { m: count, n: numClasses, k: height, transposeA: true });
  const out = exampleMeans.slice();
  for (let i = 0, at = 0; i < own.length; i++) {
    const from = places[own[i]] * numClasses;
    for (let c = 0; c < numClasses; c++, at++) out[at] -= between[from + c];
  }
  return out;
}

/**
 * Primal: `A = L L^T`, and products are those of `L^-1 u`. The scatter is `gram - sum_c s_c s_c^T / n_c`, from exact
 * integers. Without `examples` (statistics mode) the products of examples are empty.
 */
export async function primalProducts(
  statistics: StatisticsMemory,
  groups: readonly TapGroup[],
  shrinkage: Shrinkage,
  context: FitContext,
  examples?: { readonly memory: Memory; readonly rows: Int32Array },
): Promise<WithinClassProducts> {
  const { numClasses, numExamples, counts, width } = statistics;
  const scales = columnScales(groups);
  const columns = scales.length;
  const means = weightedRows(classMeans(statistics.sums, counts, width), numClasses, width, groups);
  await context.yieldToHost?.();
  const scatter = await scatterMatrix(statistics, means, scales, context);
  let trace = 0;
  let squares = 0;
  for (let i = 0; i < columns; i++) trace += scatter[i * columns + i];
  for (let i = 0; i < scatter.length; i++) squares += scatter[i] * scatter[i];
  if (trace < ROUNDING * numExamples) trace = 0;
  const fourth = examples && shrinkage === 'ledoit-wolf' ? fourthMoment(examples.memory, means, groups) : undefined;
  const precision = shrinkPrecision(shrinkage, {
    trace,
    squares,
    fourth,
    numExamples,
    degrees: numExamples - numClasses,
    dim: columns,
  });
  if (precision.scatterWeight === 0) scatter.fill(0);
  const factor = await choleskyFactor(scatter, columns, context, precision.ridge);

  const solvedMeans = await solveLower(factor, transpose(means, numClasses, columns), numClasses, context);
  const classWeights = await solveUpper(factor, solvedMeans, numClasses, context);
  const meanSquares = columnSquares(solvedMeans, numClasses);
  const none = new Float64Array(0);
  if (examples === undefined) {
    return {
      form: 'primal',
      precision,
      classWeights,
      meanSquares,
      exampleMeans: none,
      deviationMeans: none,
      exampleSquares: none,
    };
  }
  const { memory, rows } = examples;
  const own = rows.map((i) => memory.classIndices[i]);
  const chosen = chosenRows(memory.codes, width, rows);
  await context.yieldToHost?.();
  const solved = transpose(weightedRows(chosen, rows.length, width, groups), rows.length, columns);
  await context.yieldToHost?.();
  await forward(factor, 0, solved, rows.length, context);
  const shape = { m: rows.length, n: numClasses, k: columns, transposeA: true };
  const exampleMeans = await context.gemm.f64(solved, solvedMeans, shape);
  return {
    form: 'primal',
    precision,
    classWeights,
    meanSquares,
    exampleMeans,
    deviationMeans: await lessOwnMeans(exampleMeans, solvedMeans, numClasses, own, context),
    exampleSquares: columnSquares(solved, rows.length),
  };
}

/** The weighted within-class scatter, columns x columns. */
async function scatterMatrix(
  { counts, numClasses, gram }: StatisticsMemory,
  means: Float64Array,
  scales: Float64Array,
  context: FitContext,
): Promise<Float64Array> {
  const columns = scales.length;
  const scaled = new Float64Array(means.length);
  for (let c = 0; c < numClasses; c++) {
    const root = Math.sqrt(counts[c]);
    for (let j = c * columns; j < (c + 1) * columns; j++) scaled[j] = means[j] * root;
  }
  const turned = transpose(scaled, numClasses, columns);
  const between = await context.gemm.f64(turned, scaled, { m: columns, n: columns, k: numClasses });
  // The gram may cover more columns than are weighted; those weighted are its first.
  const stride = Math.round(Math.sqrt(gram.length));
  for (let i = 0; i < columns; i++) {
    const row = i * columns;
    for (let j = 0; j < columns; j++)
      between[row + j] = gram[i * stride + j] * scales[i] * scales[j] - between[row + j];
  }
  return between;
}

/** `sum_i |x_i - m_own|^4`. */
function fourthMoment(memory: Memory, means: Float64Array, groups: readonly TapGroup[]): number {
  const { codes, classIndices, width, numExamples, numClasses } = memory;
  const columns = means.length / numClasses;
  let sum = 0;
  for (let i = 0; i < numExamples; i++) {
    const x = weightedRows(codes.subarray(i * width, (i + 1) * width), 1, width, groups);
    let square = 0;
    for (let j = 0; j < columns; j++) square += (x[j] - means[classIndices[i] * columns + j]) ** 2;
    sum += square * square;
  }
  return sum;
}

/**
 * Dual, with Z the centred examples: `(Z^T Z + r I)^-1 = (I - Z^T (Z Z^T + r I)^-1 Z) / r`, so that only inner products
 * of examples are needed and the system is examples x examples.
 */
export async function dualProducts(
  memory: Memory,
  groups: readonly TapGroup[],
  shrinkage: Shrinkage,
  rows: Int32Array,
  context: FitContext,
): Promise<WithinClassProducts> {
  const { codes, classIndices: own, counts, numExamples: n, numClasses, width } = memory;
  const scales = columnScales(groups);
  const products = await codeProducts(codes, n, codes, n, width, groups, context);
  // <x_i, m_c>, and with the rows averaged once more <m_b, m_c>.
  const toMeans = averageByClass(transpose(products, n, n), n, own, counts);
  await context.yieldToHost?.();
  const exampleMean = transpose(toMeans, numClasses, n);
  const meanMean = averageByClass(exampleMean, numClasses, own, counts);
  // Z m_c, Z Z^T and, for the rows of leave-one-out, Z x_j, where row i of Z is x_i - m_own.
  const centredMeans = new Float64Array(n * numClasses);
  const centred = new Float64Array(n * rows.length);
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const c = own[i];
    for (let k = 0; k < numClasses; k++) {
      centredMeans[i * numClasses + k] = exampleMean[i * numClasses + k] - meanMean[c * numClasses + k];
    }
    for (let j = 0; j < n; j++) {
      matrix[i * n + j] = products[i * n + j] - toMeans[c * n + j] - centredMeans[i * numClasses + own[j]];
    }
    for (const [r, j] of rows.entries()) centred[i * rows.length + r] = products[i * n + j] - toMeans[c * n + j];
  }
  await context.yieldToHost?.();
  let trace = 0;
  let squares = 0;
  let fourth = 0;
  for (let i = 0; i < n; i++) {
    trace += matrix[i * n + i];
    fourth += matrix[i * n + i] ** 2;
  }
  for (let i = 0; i < matrix.length; i++) squares += matrix[i] * matrix[i];
  if (trace < ROUNDING * n) trace = 0;
  const moments = { trace, squares, fourth, numExamples: n, degrees: n - numClasses, dim: scales.length };
  const precision = shrinkPrecision(shrinkage, moments);
  const { ridge, scatterWeight } = precision;

  const means = weightedRows(classMeans(memory.sums, counts, width), numClasses, width, groups);
  const classWeights = transpose(means, numClasses, scales.length);
  const exampleMeans = chosenRows(exampleMean, numClasses, rows);
  const deviationMeans = chosenRows(centredMeans, numClasses, rows);
  const meanSquares = Float64Array.from(counts, (_, c) => meanMean[c * numClasses + c]);
  const exampleSquares = Float64Array.from(rows, (i) => products[i * n + i]);
  if (scatterWeight === 1) {
    const factor = await choleskyFactor(matrix, n, context, ridge);
    const solvedMeans = await solveLower(factor, centredMeans, numClasses, context);
    await forward(factor, 0, centred, rows.length, context);
    const shape = { m: rows.length, n: numClasses, k: n, transposeA: true };
    await context.yieldToHost?.();
    const explained = await context.gemm.f64(centred, solvedMeans, shape);
    const rowOwners = rows.map((i) => own[i]);
    subtract(exampleMeans, explained);
    subtract(deviationMeans, await lessOwnMeans(explained, solvedMeans, numClasses, rowOwners, context));
    subtract(meanSquares, columnSquares(solvedMeans, numClasses));
    subtract(exampleSquares, columnSquares(centred, rows.length));
    // Z^T U = X^T (U - class means of U).
    const weights = await solveUpper(factor, solvedMeans, numClasses, context);
    const averages = averageByClass(weights, numClasses, own, counts);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < numClasses; k++) weights[i * numClasses + k] -= averages[own[i] * numClasses + k];
    }
    const examples = weightedRows(codes, n, width, groups);
    const back = { m: scales.length, n: numClasses, k: n, transposeA: true };
    subtract(classWeights, await context.gemm.f64(examples, weights, back));
  }
  for (const array of [classWeights, meanSquares, exampleMeans, deviationMeans, exampleSquares]) {
    for (let i = 0; i < array.length; i++) array[i] /= ridge;
  }
  return {
    form: 'dual',
    precision,
    classWeights,
    meanSquares,
    exampleMeans,
    deviationMeans,
    exampleSquares,
  };
}

function subtract(from: Float64Array, what: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] -= what[i];
}

/** Means by class of the rows of a matrix (examples x columns): numClasses x columns. */
function averageByClass(matrix: Float64Array, columns: number, own: Int32Array, counts: Int32Array): Float64Array {
  const out = new Float64Array(counts.length * columns);
  for (let i = 0; i < own.length; i++) {
    const to = own[i] * columns;
    for (let j = 0; j < columns; j++) out[to + j] += matrix[i * columns + j];
  }
  for (let c = 0; c < counts.length; c++) {
    for (let j = c * columns; j < (c + 1) * columns; j++) out[j] /= counts[c];
  }
  return out;
}

/** The products of a memory, in the smaller form; `rows` are the examples that leave-one-out covers. */
export async function withinClassProducts(
  memory: Memory,
  groups: readonly TapGroup[],
  shrinkage: Shrinkage,
  rows: Int32Array,
  context: FitContext,
): Promise<WithinClassProducts> {
  const columns = groups.reduce((sum, group) => sum + group.width, 0);
  if (memory.numExamples < columns) return dualProducts(memory, groups, shrinkage, rows, context);
  const gramRows = { rows: memory.codes, width: memory.width, columns };
  const gram = await carriedGram(`code-gram ${columns}`, '', memory.codes, gramRows, context, true);
  const { taps, dim, width, numClasses, numExamples, counts, sums } = memory;
  const statistics = { taps, dim, width, numClasses, numExamples, counts, sums, gram };
  return primalProducts(statistics, groups, shrinkage, context, { memory, rows });
}
