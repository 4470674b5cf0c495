/** The two-dimensional map of embeddings. */

import { expect, it } from 'vitest';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { embeddingMap } from '../../../../packages/core/src/evaluation/embedding-map.ts';
import { clusters } from '../scores/memory-of-codes.ts';

it('shows the two directions of greatest variance, as a singular value decomposition does', () => {
  const memory = clusters([9, 9, 9, 9], 2, 12);
  const rows = Array.from({ length: 36 }, (_, i) => {
    const row = [...memory.codes.subarray(i * 24, i * 24 + 12)];
    return row.map((x) => x / Math.hypot(...row));
  });
  const svd = new SingularValueDecomposition(new Matrix(rows).center('column'));
  const map = embeddingMap(memory.codes, 36, 24, 12);
  const total = svd.diagonal.reduce((sum, s) => sum + s * s, 0);
  for (const axis of [0, 1]) {
    // Sixty iterations shrink what is left of lower directions by the ratio of variances to the sixtieth power.
    expect(map.explained[axis]).toBeCloseTo(svd.diagonal[axis] ** 2 / total, 6);
    for (let i = 0; i < 36; i++) {
      const reference = svd.leftSingularVectors.get(i, axis) * svd.diagonal[axis];
      expect(Math.abs(map.points[i * 2 + axis])).toBeCloseTo(Math.abs(reference), 3);
    }
  }
});

it('is finite for one embedding, equal embeddings, one dimension and none at all', () => {
  const one = embeddingMap(Int8Array.of(3, -4), 1, 2, 2);
  expect([...one.points, ...one.explained]).toEqual([0, 0, 0, 0]);
  expect([...embeddingMap(Int8Array.of(5, 5, 5, 5), 2, 2, 2).points]).toEqual([0, 0, 0, 0]);
  expect([...embeddingMap(Int8Array.of(5, -5, 7), 3, 1, 1).points].every(Number.isFinite)).toBe(true);
  expect(embeddingMap(new Int8Array(0), 0, 4, 4).points.length).toBe(0);
  expect(() => embeddingMap(new Int8Array(5), 2, 3, 3)).toThrow(/2 x 3 entries/);
});
