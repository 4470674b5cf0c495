import fc from 'fast-check';
import { expect, it } from 'vitest';
import { transpose } from '../../../../packages/core/src/linalg/transpose.ts';

it('transposes any shape, whole tiles and their edges, and leaves the matrix as it was', () => {
  const side = fc.integer({ min: 0, max: 75 });
  fc.assert(
    fc.property(side, side, (rows, columns) => {
      const matrix = Float64Array.from({ length: rows * columns }, (_, at) => at + 1);
      const out = transpose(matrix, rows, columns);
      expect(out).toHaveLength(rows * columns);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) expect(out[j * rows + i]).toBe(i * columns + j + 1);
      }
      expect(matrix.every((value, at) => value === at + 1)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
