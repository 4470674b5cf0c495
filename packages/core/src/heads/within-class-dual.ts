/** The inner products of `within-class-products.ts` from those of the examples alone, where they are fewer than columns. */

import type { FitContext, Memory } from '../head.ts';
import { choleskyFactor } from '../linalg/cholesky.ts';
import { inverseDiagonal, solveSymmetric } from '../linalg/cholesky-solve.ts';
import { transpose } from '../linalg/transpose.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { carriedProducts } from './carried-products.ts';
import { classMeans } from './class-balance.ts';
import { shrinkPrecision, type Shrinkage } from './shrinkage.ts';
import { columnScales, weightedRows, type TapGroup } from './tap-weights.ts';
import type { WithinClassProducts } from './within-class-products.ts';

/**
 * Dual, with Z the centred examples and `M = Z Z^T + r I`: `P = (Z^T Z + r I)^-1 = (I - Z^T M^-1 Z) / r` by Woodbury's identity, and
 * `Z P = M^-1 Z`, so that with `W = M^-1 Z m`
 *
 *     P m_c = (m_c - Z^T W_c) / r,            <m_b, m_c>_P = (m_b^T m_c - (Z m_b)^T W_c) / r,
 *     <x_i - m_own, m_c>_P = W_ic,            |x_i - m_own|_P^2 = 1 - r (M^-1)_ii.
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
  const products = await carriedProducts(memory, groups, context);
  // <m_c, x_i>, and averaged once more <m_b, m_c>.
  const meanExample = averageByClass(products, n, own, counts);
  await context.yieldToHost?.();
  const exampleMean = transpose(meanExample, numClasses, n);
  const meanMean = averageByClass(exampleMean, numClasses, own, counts);
  const centredMeans = lessRows(exampleMean, meanMean, numClasses, own);
  const matrix = scatterProducts(products, meanExample, centredMeans, own);
  await context.yieldToHost?.();
  const moments = { ...momentsOf(matrix, n), numExamples: n, degrees: n - numClasses, dim: scales.length };
  const precision = shrinkPrecision(shrinkage, moments);
  const { ridge, scatterWeight } = precision;

  const means = weightedRows(classMeans(memory.sums, counts, width), numClasses, width, groups);
  const classWeights = transpose(means, numClasses, scales.length);
  await context.yieldToHost?.();
  let deviationMeans: Float64Array;
  let deviationSquares: Float64Array;
  if (scatterWeight === 1) {
    const factor = await choleskyFactor(matrix, n, context, ridge);
    const weights = await solveSymmetric(factor, centredMeans, numClasses, context);
    deviationMeans = chosenRows(weights, numClasses, rows);
    const inverse = await inverseDiagonal(factor, context);
    deviationSquares = Float64Array.from(rows, (i) => 1 - ridge * inverse[i]);
    const between = { m: numClasses, n: numClasses, k: n, transposeA: true };
    subtract(meanMean, await context.gemm.f64(centredMeans, weights, between));
    // Z^T W = X^T (W - class means of W).
    const centredWeights = lessRows(weights, averageByClass(weights, numClasses, own, counts), numClasses, own);
    const examples = weightedRows(codes, n, width, groups);
    await context.yieldToHost?.();
    const back = { m: scales.length, n: numClasses, k: n, transposeA: true };
    subtract(classWeights, await context.gemm.f64(examples, centredWeights, back));
  } else {
    deviationMeans = chosenRows(centredMeans, numClasses, rows);
    divide(deviationMeans, ridge);
    deviationSquares = Float64Array.from(rows, (i) => matrix[i * n + i] / ridge);
  }
  divide(classWeights, ridge);
  divide(meanMean, ridge);
  const exampleMeans = deviationMeans.slice();
  const exampleSquares = new Float64Array(rows.length);
  for (const [r, i] of rows.entries()) {
    const mean = own[i] * numClasses;
    exampleSquares[r] = deviationSquares[r] + 2 * deviationMeans[r * numClasses + own[i]] + meanMean[mean + own[i]];
    for (let c = 0; c < numClasses; c++) exampleMeans[r * numClasses + c] += meanMean[mean + c];
  }
  return {
    form: 'dual',
    precision,
    classWeights,
    meanSquares: Float64Array.from(counts, (_, c) => meanMean[c * numClasses + c]),
    exampleMeans,
    deviationMeans,
    exampleSquares,
  };
}

/** Rows less the row of `means` that each owns, in place: of Z m_c row i is `<x_i - m_own, m_c>`. */
function lessRows(rows: Float64Array, means: Float64Array, width: number, own: Int32Array): Float64Array {
  for (let i = 0, at = 0; i < own.length; i++) {
    for (let mean = own[i] * width, end = at + width; at < end; at++, mean++) rows[at] -= means[mean];
  }
  return rows;
}

/** Z Z^T, examples x examples. */
function scatterProducts(
  products: Float64Array,
  meanExample: Float64Array,
  centredMeans: Float64Array,
  own: Int32Array,
): Float64Array {
  const n = own.length;
  const numClasses = centredMeans.length / n;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const [row, mean, centred] = [i * n, own[i] * n, i * numClasses];
    for (let j = 0; j < n; j++) {
      out[row + j] = products[row + j] - meanExample[mean + j] - centredMeans[centred + own[j]];
    }
  }
  return out;
}

/** Moments of a scatter by the inner products of what scatters. */
function momentsOf(matrix: Float64Array, n: number): Record<'trace' | 'squares' | 'fourth', number> {
  let [trace, squares, fourth] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    trace += matrix[i * n + i];
    fourth += matrix[i * n + i] ** 2;
  }
  for (let i = 0; i < matrix.length; i++) squares += matrix[i] * matrix[i];
  return { trace, squares, fourth };
}

function divide(values: Float64Array, by: number): void {
  for (let i = 0; i < values.length; i++) values[i] /= by;
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
