/**
 * Whitening from fewer examples than half of the dimension, without a matrix to factor that is as wide. Of n examples the scatter
 * `W = Z' Z` has at most rank n, Z their deviations from their group's mean, and with `L L' = Z Z' + ridge I`, `U = L^-1 Z`,
 *
 *     (W + ridge I)^-1 = (I - U' U) / ridge = T' T,   T = (I - Z' (L' + r I)^-1 U) / r,   r = sqrt(ridge)
 *
 * by Woodbury's identity and the square-root update of Andrews 1968 (A square root formulation of the Kalman covariance equations).
 */

import type { FitContext, Memory } from '../../head.ts';
import { choleskyFactor, type CholeskyFactor } from '../../linalg/cholesky.ts';
import { solveLower, solveUpper } from '../../linalg/cholesky-solve.ts';
import { invertLower } from '../../linalg/small-cholesky.ts';
import { subtractProduct } from '../../linalg/products-in-place.ts';

/** T, dim x dim, and U, numExamples x dim. */
export interface FewWhitening {
  readonly whitening: Float64Array;
  readonly few: Float64Array;
}

/** @param means Float64Array, numGroups x dim: of the classes, or of all examples */
export async function whitenFew(
  memory: Memory,
  means: Float64Array,
  ridge: number,
  context: FitContext,
): Promise<FewWhitening> {
  const { dim, numExamples } = memory;
  const deviations = deviationRows(memory, means);
  const shape = { m: numExamples, n: numExamples, k: dim, transposeB: true };
  const products = await context.gemm.f64(deviations, deviations, shape);
  const factor = await choleskyFactor(products, numExamples, context, ridge);
  const few = await solveLower(factor, deviations, dim, context);
  const root = Math.sqrt(ridge);
  const solved = await solveUpper(shifted(factor, root), few, dim, context);
  const whitening = new Float64Array(dim * dim);
  for (let j = 0; j < dim; j++) whitening[j * dim + j] = 1;
  await subtractProduct(whitening, deviations, solved, { m: dim, n: dim, k: numExamples, transposeA: true }, context);
  for (let i = 0; i < whitening.length; i++) whitening[i] /= root;
  return { whitening, few };
}

/** `L + shift I` as if it were a factor. */
function shifted({ order, block, panels }: CholeskyFactor, shift: number): CholeskyFactor {
  const moved = panels.map((panel, k) => {
    const width = Math.min(block, order - k * block);
    const copy = panel.slice();
    for (let i = 0; i < width; i++) copy[i * width + i] += shift;
    return copy;
  });
  const inverses = moved.map((panel, k) => invertLower(panel, Math.min(block, order - k * block)));
  return { order, block, panels: moved, inverses };
}

/** Z above, numExamples x dim. */
function deviationRows(memory: Memory, means: Float64Array): Float64Array {
  const { codes, classIndices, width, dim, numExamples } = memory;
  const deviations = new Float64Array(numExamples * dim);
  inCodeOrder(memory).forEach((i, at) => {
    const mean = means.length === dim ? 0 : classIndices[i] * dim;
    for (let j = 0; j < dim; j++) deviations[at * dim + j] = codes[i * width + j] - means[mean + j];
  });
  return deviations;
}

/** Examples by class and first tap, so that bits do not depend on their order. */
function inCodeOrder({ codes, classIndices, width, dim }: Memory): Int32Array {
  return Int32Array.from(classIndices.keys()).sort((a, b) => {
    let order = classIndices[a] - classIndices[b];
    for (let j = 0; order === 0 && j < dim; j++) order = codes[a * width + j] - codes[b * width + j];
    return order;
  });
}
