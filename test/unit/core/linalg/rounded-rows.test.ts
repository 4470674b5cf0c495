/** Products of codes with rounded rows: exact, the same bits in machine code and on typed arrays, and near the unrounded ones. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RoundedRows } from '../../../../packages/core/src/linalg/rounded-rows.ts';

/** Numbers that look random, over many magnitudes. */
function weightsOf(count: number, seed: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) * 10 ** (((i * 7) % 9) - 4));
}

/** The smallest number of which all are whole multiples that a power of two is. */
function unitOf(row: Float64Array): number {
  let unit = 2 ** 40;
  while (row.some((weight) => !Number.isInteger(weight / unit))) unit /= 2;
  return unit;
}

/** The sum of whole multiples of `unit`, in integers of any size. */
function exactProduct(weights: Float64Array, x: Int8Array, unit: number): number {
  let sum = 0n;
  for (const [j, weight] of weights.entries()) sum += BigInt(weight / unit) * BigInt(x[j]);
  return Number(sum) * unit;
}

/** A matrix as the rows have rounded it. */
function roundedOf(rows: RoundedRows, count: number, columns: number): Float64Array {
  const out = new Float64Array(count * columns);
  for (let i = 0; i < count; i++) rows.readRow(i, out, i * columns);
  return out;
}

it('machine code and typed arrays give the exact products of the rounded rows, at any shape and over part of it', () => {
  const shapes = fc.record({
    count: fc.integer({ min: 1, max: 9 }),
    // Beyond 2,048 columns the machine code sums in parts.
    columns: fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 2030, max: 2080 }), fc.constant(5000)),
    largest: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1000 }),
  });
  fc.assert(
    fc.property(shapes, ({ count, columns, largest, seed }) => {
      const [fast, plain] = [new RoundedRows(count, columns, 0), new RoundedRows(count, columns, Infinity)];
      // All weights equal and all codes 127: the largest sums there can be.
      const weights = largest ? new Float64Array(count * columns).fill(-0.99999) : weightsOf(count * columns, seed);
      for (let i = 0; i < count; i++) {
        plain.setRow(i, weights, i * columns);
        fast.setRow(i, weights, i * columns);
      }
      const rounded = roundedOf(fast, count, columns);
      expect(roundedOf(plain, count, columns)).toEqual(rounded);
      const x = Int8Array.from({ length: columns }, (_, j) => (largest ? 127 : Math.sin(j + seed) * 127));
      for (const part of [columns, columns & ~15]) {
        for (const rows of [fast, plain]) {
          rows.x.set(x);
          rows.multiply(0, count, part);
          for (let i = 0; i < count; i++) {
            const row = rounded.subarray(i * columns, (i + 1) * columns);
            expect(rows.out[i]).toBe(exactProduct(row.subarray(0, part), x, unitOf(row)));
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});

it('rounding moves a weight by at most 2^-31 of the largest of its row, and no more when done again', () => {
  const width = 512;
  const weights = weightsOf(3 * width, 1);
  const given = weights.slice();
  for (const smallest of [0, Infinity]) {
    const rows = new RoundedRows(3, width, smallest);
    for (let i = 0; i < 3; i++) rows.setRow(i, weights, i * width);
    expect(weights).toEqual(given);
    const rounded = roundedOf(rows, 3, width);
    for (let i = 0; i < 3; i++) {
      const own = weights.subarray(i * width, (i + 1) * width);
      const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
      own.forEach((weight, j) => {
        expect(Math.abs(rounded[i * width + j] - weight)).toBeLessThanOrEqual(largest * 2 ** -31);
      });
    }
    expect(rounded).not.toEqual(weights);
    for (let i = 0; i < 3; i++) rows.setRow(i, rounded, i * width);
    expect(roundedOf(rows, 3, width)).toEqual(rounded);
  }
});

it('a row of zeros gives zero, one that is not finite NaN', () => {
  for (const smallest of [0, Infinity]) {
    const rows = new RoundedRows(2, 3, smallest);
    rows.setRow(0, new Float64Array(3), 0);
    rows.setRow(1, Float64Array.of(1, NaN, 2), 0);
    rows.x.set([1, 2, 3]);
    rows.multiply(0, 2);
    expect([...rows.out.subarray(0, 2)]).toEqual([0, NaN]);
    expect([...roundedOf(rows, 2, 3)]).toEqual([0, 0, 0, NaN, NaN, NaN]);
  }
});
