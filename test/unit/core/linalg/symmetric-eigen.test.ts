import fc from 'fast-check';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { symmetricEigen } from '../../../../packages/core/src/linalg/symmetric-eigen.ts';

/** A symmetric matrix from a flat list of its entries. */
function symmetric(order: number, entries: readonly number[]): Float64Array {
  const a = new Float64Array(order * order);
  for (let i = 0; i < order; i++)
    for (let j = 0; j <= i; j++) a[i * order + j] = a[j * order + i] = entries[i * order + j];
  return a;
}

const matrices = fc.integer({ min: 1, max: 24 }).chain((order) =>
  fc
    .array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ min: -1, max: 1, noNaN: true })), {
      minLength: order * order,
      maxLength: order * order,
    })
    .map((entries) => ({ order, a: symmetric(order, entries) })),
);

describe('symmetric eigendecomposition', () => {
  it('rebuilds the matrix from orthonormal vectors', () => {
    fc.assert(
      fc.property(matrices, ({ order, a }) => {
        const { values, vectors } = symmetricEigen(a, order);
        for (let i = 0; i < order; i++) {
          for (let j = 0; j < order; j++) {
            let rebuilt = 0;
            let dot = 0;
            for (let k = 0; k < order; k++) {
              rebuilt += vectors[i * order + k] * values[k] * vectors[j * order + k];
              dot += vectors[k * order + i] * vectors[k * order + j];
            }
            // Backward stable: errors of a few units of rounding times the norm, which is at most 5 * 24.
            expect(Math.abs(rebuilt - a[i * order + j])).toBeLessThan(1e-11);
            expect(Math.abs(dot - (i === j ? 1 : 0))).toBeLessThan(1e-12);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('finds the eigenvalues that ml-matrix finds, ascending', () => {
    fc.assert(
      fc.property(matrices, ({ order, a: any }) => {
        // ml-matrix throws a TypeError where entries of 1e-307 stand beside others of 1.
        const a = any.map((entry) => (Math.abs(entry) < 1e-150 ? 0 : entry));
        const { values } = symmetricEigen(a, order);
        const naive = new EigenvalueDecomposition(Matrix.from1DArray(order, order, Array.from(a)), {
          assumeSymmetric: true,
        }).realEigenvalues.sort((x, y) => x - y);
        for (let i = 0; i < order; i++) expect(Math.abs(values[i] - naive[i])).toBeLessThan(1e-11);
      }),
      { numRuns: 60 },
    );
  });

  it.each([1e-300, 1e-269, 1e200])('finds eigenvalues of the size %d', (size) => {
    const { values } = symmetricEigen(Float64Array.from([0, -size, -size, 0]), 2);
    expect([...values].map((value) => value / size)).toEqual([expect.closeTo(-1, 12), expect.closeTo(1, 12)]);
  });

  it('handles zeros, equal eigenvalues and order zero', () => {
    expect(symmetricEigen(new Float64Array(0), 0).values).toHaveLength(0);
    expect(Array.from(symmetricEigen(new Float64Array(9), 3).values)).toEqual([0, 0, 0]);
    const ones = symmetricEigen(new Float64Array(400).fill(1), 20);
    expect(ones.values[19]).toBeCloseTo(20, 12);
    expect(Math.abs(ones.values[0])).toBeLessThan(1e-12);
  });

  it('says that it did not converge on NaN', () => {
    expect(() => symmetricEigen(new Float64Array(16).fill(NaN), 4)).toThrowError(/NaN or infinity/);
  });
});
