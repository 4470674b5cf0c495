/** Nearest examples against a naive search. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { codeSquares, nearestExamples } from '../../../../packages/core/src/scores/nearest.ts';
import { clusters, codeOf, memoryOfCodes } from './memory-of-codes.ts';

const code = fc.integer({ min: -127, max: 127 });

it('finds what sorting every cosine finds, ties in canonical order', () => {
  const cases = fc.integer({ min: 1, max: 9 }).chain((width) =>
    fc.record({
      width: fc.constant(width),
      rows: fc.array(fc.array(code, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 20 }),
      query: fc.array(code, { minLength: width, maxLength: width }),
      count: fc.integer({ min: 0, max: 25 }),
    }),
  );
  fc.assert(
    fc.property(cases, ({ width, rows, query, count }) => {
      const memory = memoryOfCodes(Int8Array.from(rows.flat()), new Array(rows.length).fill(0), 1, width);
      const dot = (a: number[], b: number[]): number => a.reduce((sum, x, j) => sum + x * b[j], 0);
      const naive = rows.map((r, row) => {
        const squares = dot(r, r) * dot(query, query);
        return { row, similarity: squares > 0 ? dot(r, query) / Math.sqrt(squares) : 0 };
      });
      for (const n of naive) n.similarity = Math.max(-1, Math.min(1, n.similarity));
      naive.sort((a, b) => b.similarity - a.similarity || a.row - b.row);
      expect(nearestExamples(memory, Int8Array.from(query), count)).toEqual(naive.slice(0, count));
    }),
  );
});

it('finds an example itself, at similarity 1', () => {
  const memory = clusters([5, 5], 3, 8);
  const squares = codeSquares(memory);
  for (let i = 0; i < 10; i++) {
    const [first] = nearestExamples(memory, codeOf(memory, i), 1, squares);
    expect(first.row).toBe(i);
    expect(first.similarity).toBeCloseTo(1, 12);
  }
});

it('names a query of another width', () => {
  expect(() => nearestExamples(clusters([2], 1, 8), new Int8Array(9), 1)).toThrow(
    'Expected a code of 8 entries for query, got Int8Array of length 9.',
  );
});
