/** Eigenvalues and eigenvectors of a small symmetric matrix: Householder tridiagonalisation, then implicit QL. */

import { ImprintError } from '../errors.ts';

export interface SymmetricEigen {
  /** Float64Array, order: eigenvalues, ascending. */
  readonly values: Float64Array;
  /** Float64Array, order x order, row-major: column j is the unit eigenvector of `values[j]`. */
  readonly vectors: Float64Array;
}

/**
 * Decomposes `matrix = V diag(values) V^T` in about 9 order^3 multiplications.
 * Source: Martin, Reinsch, Wilkinson (1968), tred2, and Bowdler, Martin, Reinsch, Wilkinson (1968), tql2, Numerische
 * Mathematik 11. Vectors are kept as rows while working, so that every inner loop runs along memory.
 * @param matrix Float64Array, order x order, symmetric; not changed
 * @throws NOT_CONVERGED where one eigenvalue takes more than 60 sweeps (NaN or infinity in the matrix)
 */
export function symmetricEigen(matrix: Float64Array, order: number): SymmetricEigen {
  let largest = 0;
  for (const entry of matrix) largest = Math.max(largest, Math.abs(entry));
  // Entries of at most one: squares of very small or large ones would vanish or overflow.
  const rows = largest > 0 ? matrix.map((entry) => entry / largest) : matrix.slice();
  const diagonal = new Float64Array(order);
  const offDiagonal = new Float64Array(order);
  tridiagonalise(rows, order, diagonal, offDiagonal);
  implicitQL(rows, order, diagonal, offDiagonal);

  const byValue = Array.from(diagonal.keys()).sort((a, b) => diagonal[a] - diagonal[b] || a - b);
  const values = new Float64Array(order);
  const vectors = new Float64Array(order * order);
  for (const [column, index] of byValue.entries()) {
    values[column] = diagonal[index] * (largest > 0 ? largest : 1);
    for (let i = 0; i < order; i++) vectors[i * order + column] = rows[index * order + i];
  }
  return { values, vectors };
}

/** Leaves T in `d` (diagonal) and `e` (below it, from index 1), and in `z` the rows of Q^T with `matrix = Q T Q^T`. */
function tridiagonalise(z: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  const scales = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const row = i * n;
    let largest = 0;
    for (let k = 0; k < i; k++) largest = Math.max(largest, Math.abs(z[row + k]));
    // The Householder vector u stays in row i, left of the diagonal.
    if (largest === 0 || i === 1) {
      e[i] = z[row + i - 1];
      continue;
    }
    let h = 0;
    for (let k = 0; k < i; k++) {
      z[row + k] /= largest;
      h += z[row + k] * z[row + k];
    }
    const f = z[row + i - 1];
    const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h);
    e[i] = largest * g;
    h -= f * g;
    z[row + i - 1] = f - g;
    scales[i] = h;
    // p = A u / h, from the lower triangle alone.
    for (let j = 0; j < i; j++) d[j] = 0;
    for (let j = 0; j < i; j++) {
      const rowJ = j * n;
      const u = z[row + j];
      let sum = z[rowJ + j] * u;
      for (let k = 0; k < j; k++) {
        sum += z[rowJ + k] * z[row + k];
        d[k] += z[rowJ + k] * u;
      }
      d[j] += sum;
    }
    let dot = 0;
    for (let j = 0; j < i; j++) {
      d[j] /= h;
      dot += d[j] * z[row + j];
    }
    const half = dot / (2 * h);
    for (let j = 0; j < i; j++) d[j] -= half * z[row + j];
    for (let j = 0; j < i; j++) {
      const rowJ = j * n;
      const u = z[row + j];
      const q = d[j];
      for (let k = 0; k <= j; k++) z[rowJ + k] -= u * d[k] + q * z[row + k];
    }
  }
  for (let i = 0; i < n; i++) d[i] = z[i * n + i];
  accumulate(z, n, scales);
}

/** Turns the Householder vectors in the rows of `z` into the rows of Q^T, growing the leading block by one each time. */
function accumulate(z: Float64Array, n: number, scales: Float64Array): void {
  const u = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    if (scales[i] !== 0) {
      u.set(z.subarray(row, row + i));
      for (let j = 0; j < i; j++) {
        const rowJ = j * n;
        let dot = 0;
        for (let k = 0; k < i; k++) dot += z[rowJ + k] * u[k];
        dot /= scales[i];
        for (let k = 0; k < i; k++) z[rowJ + k] -= dot * u[k];
      }
    }
    for (let k = 0; k < i; k++) {
      z[row + k] = 0;
      z[k * n + i] = 0;
    }
    z[row + i] = 1;
  }
}

/** QL with implicit shifts on the tridiagonal (d, e), applied to the rows of `z`, which end as eigenvectors. */
function implicitQL(z: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  e.copyWithin(0, 1);
  if (n > 0) e[n - 1] = 0;
  // Relative to the whole matrix: neighbours that are themselves rounding would never be small enough for each other.
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]) + Math.abs(e[i]));
  const negligible = Number.EPSILON * norm;
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      let m = l;
      // Negated, so that NaN counts as not yet converged.
      while (m < n - 1 && !(Math.abs(e[m]) <= negligible)) m++;
      if (m === l) break;
      if (sweep === 60) {
        throw new ImprintError(
          'NOT_CONVERGED',
          `Expected eigenvalue ${l} of ${n} within 60 sweeps, got none. Check the embeddings for NaN or infinity.`,
        );
      }
      let g = (d[l + 1] - d[l]) / (2 * e[l]);
      let r = Math.hypot(g, 1);
      g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i];
        const b = c * e[i];
        r = Math.sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        const lower = i * n;
        const upper = lower + n;
        for (let k = 0; k < n; k++) {
          const x = z[upper + k];
          const y = z[lower + k];
          z[upper + k] = s * y + c * x;
          z[lower + k] = c * y - s * x;
        }
      }
      if (r === 0 && i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}
