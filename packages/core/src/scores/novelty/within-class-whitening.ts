/**
 * Coordinates in which examples of a class scatter alike in every direction: `x -> G^-1 x` with `G G' = W + ridge I`.
 * W is the pooled within-class scatter matrix of the first tap's codes. The ridge is a prior that does not look at the data: it is worth
 * `dim` examples whose within-class variance is half of an embedding's squared length, spread evenly,
 *
 *     ridge = scale^2 / 2,   scale = sqrt(dim) * 127 / 6
 *
 * so that taking one example out changes W + ridge I by rank one and leave-one-out is exact (Sherman-Morrison 1950).
 */

import { ImprintError } from '../../errors.ts';
import type { FitContext, Memory } from '../../head.ts';
import { codeScale } from '../../memory/codes.ts';

/** Rows whose products of int8 codes sum exactly in f32: 2^10 * 2^14 = 2^24. */
const EXACT_ROWS = 1024;

export interface Whitening {
  readonly dim: number;
  /** Float64Array, dim x dim, row-major: G, lower triangular. */
  readonly factor: Float64Array;
  /** Float64Array, numClasses x dim: class means of the first tap, in code units. */
  readonly means: Float64Array;
}

/** Factor of the pooled within-class scatter matrix, and class means. Cost: n dim^2 in the Gemm, dim^3 / 6 here. */
export async function withinClassWhitening(memory: Memory, context: FitContext): Promise<Whitening> {
  const { dim, numClasses } = memory;
  const scatter = await firstTapGram(memory, context);
  const means = firstTapMeans(memory);
  for (let k = 0; k < numClasses; k++) {
    const count = memory.counts[k];
    const mean = means.subarray(k * dim, (k + 1) * dim);
    for (let a = 0; a < dim; a++) {
      const weighted = count * mean[a];
      const row = a * dim;
      for (let b = 0; b <= a; b++) scatter[row + b] -= weighted * mean[b];
    }
  }
  const scale = codeScale(dim);
  for (let a = 0; a < dim; a++) scatter[a * dim + a] += (scale * scale) / 2;
  factorLowerInPlace(scatter, dim);
  return { dim, factor: scatter, means };
}

/** Float64Array, numClasses x dim: class means of the first tap. */
export function firstTapMeans({ dim, width, numClasses, counts, sums }: Memory): Float64Array<ArrayBuffer> {
  const means = new Float64Array(numClasses * dim);
  for (let k = 0; k < numClasses; k++) {
    for (let j = 0; j < dim; j++) means[k * dim + j] = sums[k * width + j] / counts[k];
  }
  return means;
}

/** Float64Array, dim x dim: sum of outer products of the first tap's codes, exact integers. */
export async function firstTapGram(
  memory: Memory,
  { gemm, signal, yieldToHost }: FitContext,
): Promise<Float64Array<ArrayBuffer>> {
  const { dim, width, numExamples, codes } = memory;
  const gram = new Float64Array(dim * dim);
  for (let start = 0; start < numExamples; start += EXACT_ROWS) {
    signal?.throwIfAborted();
    const rows = Math.min(EXACT_ROWS, numExamples - start);
    const block = new Float32Array(rows * dim);
    for (let i = 0; i < rows; i++) {
      const from = (start + i) * width;
      for (let j = 0; j < dim; j++) block[i * dim + j] = codes[from + j];
    }
    const product = await gemm.f32(block, block, { m: dim, n: dim, k: rows, transposeA: true });
    for (let j = 0; j < gram.length; j++) gram[j] += product[j];
    await yieldToHost?.();
  }
  return gram;
}

/** Replaces the lower triangle of a positive definite matrix by its Cholesky factor; the upper triangle is left as it was. */
function factorLowerInPlace(matrix: Float64Array, dim: number): void {
  for (let i = 0; i < dim; i++) {
    const row = i * dim;
    for (let j = 0; j <= i; j++) {
      const other = j * dim;
      let sum = matrix[row + j];
      for (let k = 0; k < j; k++) sum -= matrix[row + k] * matrix[other + k];
      if (j < i) {
        matrix[row + j] = sum / matrix[other + j];
      } else {
        if (!(sum > 0)) {
          throw new ImprintError(
            'NOT_POSITIVE_DEFINITE',
            `Expected a positive pivot ${i} in the within-class scatter matrix, got ${sum}. Remove the examples added last: their embeddings cannot be used.`,
          );
        }
        matrix[row + i] = Math.sqrt(sum);
      }
    }
  }
}

/** Solves `G y = x` in place: `vector` holds x, then y, at `offset`. */
export function whitenInPlace({ factor, dim }: Whitening, vector: Float64Array, offset: number): void {
  for (let i = 0; i < dim; i++) {
    const row = i * dim;
    let sum = vector[offset + i];
    for (let k = 0; k < i; k++) sum -= factor[row + k] * vector[offset + k];
    vector[offset + i] = sum / factor[row + i];
  }
}
