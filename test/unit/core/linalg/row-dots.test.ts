/** Products with rows of float64: machine code and typed arrays give the same bits, and the naive sum to rounding. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RowDots } from '../../../../packages/core/src/linalg/row-dots.ts';

const number = fc.double({ min: -1e3, max: 1e3, noNaN: true });

it('machine code gives the bits of typed arrays, at any shape', () => {
  const cases = fc.record({
    count: fc.integer({ min: 1, max: 13 }),
    columns: fc.integer({ min: 1, max: 21 }),
    values: fc.array(number, { minLength: 40, maxLength: 40 }),
  });
  fc.assert(
    fc.property(cases, ({ count, columns, values }) => {
      const [fast, plain] = [new RowDots(count, columns, 0), new RowDots(count, columns, Infinity)];
      for (const dots of [fast, plain]) {
        for (let i = 0; i < count; i++) {
          for (let j = 0; j < columns; j++) dots.rows[i * dots.stride + j] = values[(i * 7 + j * 3) % values.length];
        }
        for (let j = 0; j < columns; j++) dots.x[j] = values[(j * 11 + 5) % values.length];
        dots.multiply();
      }
      expect(fast.out.slice()).toEqual(plain.out.slice());
      for (let i = 0; i < count; i++) {
        let sum = 0;
        let size = 0;
        for (let j = 0; j < columns; j++) {
          const term = plain.rows[i * plain.stride + j] * plain.x[j];
          sum += term;
          size += Math.abs(term);
        }
        // Sums in another order differ by rounding: at most 21 roundings of the terms' size.
        expect(Math.abs(plain.out[i] - sum)).toBeLessThanOrEqual(21 * 2 ** -52 * size);
      }
    }),
  );
});
