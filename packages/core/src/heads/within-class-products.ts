/**
 * Inner products `<u, v>_P = u^T (scatterWeight * scatter + ridge I)^-1 v` of examples and class means, in the form that
 * is smaller: primal (width x width) or dual (examples x examples, `within-class-dual.ts`).
 */

import type { FitContext, Memory, StatisticsMemory } from '../head.ts';
import { choleskyFactor } from '../linalg/cholesky.ts';
import { forward, solveLower, solveUpper } from '../linalg/cholesky-solve.ts';
import { columnSquares } from '../linalg/column-squares.ts';
import { transpose } from '../linalg/transpose.ts';
import { carriedGram } from '../memory/carried-gram.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { classMeans } from './class-balance.ts';
import { dualProducts } from './within-class-dual.ts';
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
