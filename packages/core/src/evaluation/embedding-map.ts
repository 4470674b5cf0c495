/**
 * Two coordinates for each embedding: principal components of the codes' first tap, by orthogonal iteration. Hotelling
 * 1933; Golub & Van Loan, Matrix Computations, section 8.2.4. It starts from fixed vectors and fixes each axis's sign,
 * so equal codes give an equal map.
 */

import { expected } from '../errors.ts';

export interface EmbeddingMap {
  /** Float64Array, count x 2, row-major: first and second principal component, in units of a unit-length embedding. */
  readonly points: Float64Array;
  /** Share of the variance that each axis shows, from 0 to 1. */
  readonly explained: readonly [number, number];
}

const ITERATIONS = 60;

/**
 * @param codes Int8Array, count x width, row-major; each row's first `dim` entries are read
 * @throws INVALID_ARGUMENT for codes of another size
 */
export function embeddingMap(codes: Int8Array, count: number, width: number, dim: number): EmbeddingMap {
  if (codes.length !== count * width) throw expected('codes', `${count} x ${width} entries`, codes);
  const centred = centredUnitRows(codes, count, width, dim);
  let total = 0;
  for (let i = 0; i < centred.length; i++) total += centred[i] * centred[i];
  const axes = new Float64Array(2 * dim);
  // Two fixed directions that no symmetric data is likely to be blind to.
  for (let j = 0; j < dim; j++) {
    axes[j] = 1 + 1 / (j + 2);
    axes[dim + j] = ((j * 7919) % 1013) / 1013 - 0.5;
  }
  const next = new Float64Array(2 * dim);
  const points = new Float64Array(count * 2);
  for (let iteration = 0; iteration <= ITERATIONS; iteration++) {
    orthonormalise(axes, dim);
    next.fill(0);
    for (let i = 0; i < count; i++) {
      for (let a = 0; a < 2; a++) {
        let along = 0;
        for (let j = 0; j < dim; j++) along += centred[i * dim + j] * axes[a * dim + j];
        points[i * 2 + a] = along;
        for (let j = 0; j < dim; j++) next[a * dim + j] += along * centred[i * dim + j];
      }
    }
    if (iteration < ITERATIONS) axes.set(next);
  }
  const variance = [0, 0];
  for (let a = 0; a < 2; a++) {
    let largest = 0;
    for (let j = 0; j < dim; j++) if (Math.abs(axes[a * dim + j]) > Math.abs(largest)) largest = axes[a * dim + j];
    for (let i = 0; i < count; i++) {
      if (largest < 0) points[i * 2 + a] = -points[i * 2 + a];
      variance[a] += points[i * 2 + a] ** 2;
    }
  }
  return { points, explained: total > 0 ? [variance[0] / total, variance[1] / total] : [0, 0] };
}

function centredUnitRows(codes: Int8Array, count: number, width: number, dim: number): Float64Array {
  const rows = new Float64Array(count * dim);
  const mean = new Float64Array(dim);
  for (let i = 0; i < count; i++) {
    let square = 0;
    for (let j = 0; j < dim; j++) square += codes[i * width + j] ** 2;
    const length = Math.sqrt(square) || 1;
    for (let j = 0; j < dim; j++) {
      rows[i * dim + j] = codes[i * width + j] / length;
      mean[j] += rows[i * dim + j] / count;
    }
  }
  for (let i = 0; i < count; i++) for (let j = 0; j < dim; j++) rows[i * dim + j] -= mean[j];
  return rows;
}

/** Gram-Schmidt on two rows; a row that vanishes becomes zero, and its coordinate with it. */
function orthonormalise(axes: Float64Array, dim: number): void {
  normalise(axes, 0, dim);
  let overlap = 0;
  for (let j = 0; j < dim; j++) overlap += axes[j] * axes[dim + j];
  for (let j = 0; j < dim; j++) axes[dim + j] -= overlap * axes[j];
  normalise(axes, dim, dim);
}

function normalise(axes: Float64Array, offset: number, dim: number): void {
  let square = 0;
  for (let j = offset; j < offset + dim; j++) square += axes[j] * axes[j];
  const length = Math.sqrt(square);
  for (let j = 0; j < dim; j++) axes[offset + j] = length > 1e-12 ? axes[offset + j] / length : 0;
}
