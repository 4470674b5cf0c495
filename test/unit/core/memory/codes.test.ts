import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeScale, encodeCodes } from '../../../../packages/core/src/memory/codes.ts';

/** The definition, one entry at a time. */
function naiveCode(x: number, norm: number, dim: number): number {
  return Math.max(-127, Math.min(127, Math.round((x / norm) * Math.sqrt(dim) * (127 / 6))));
}

it('codes are those of the definition, also next to halves and just below zero', () => {
  const number = fc.float({ noNaN: true, noDefaultInfinity: true });
  // Whole numbers put some entries on a half, small ones next to zero.
  const whole = fc.integer({ min: -8, max: 8 });
  fc.assert(
    fc.property(fc.array(fc.oneof(number, whole, fc.constant(-1e-30)), { minLength: 1, maxLength: 70 }), (list) => {
      const values = Float32Array.from(list);
      fc.pre(values.some((x) => x !== 0));
      const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      let squares = 0;
      for (const x of values) squares += (x / largest) * (x / largest);
      const factor = codeScale(values.length) / (largest * Math.sqrt(squares));
      encodeCodes(values, 1, 1, values.length).forEach((code, i) => {
        const exact = Math.max(-127, Math.min(127, values[i] * factor));
        // Where rounding decides on which side of a half an entry lies, either code is right.
        const isTie = Math.abs(Math.abs(exact - Math.floor(exact)) - 0.5) < 1e-12 * Math.abs(exact);
        if (isTie) expect([Math.floor(exact), Math.ceil(exact)]).toContain(code);
        else expect(code).toBe(Math.round(exact) + 0);
      });
    }),
    { numRuns: 500 },
  );
});

it('an entry on a half goes up', () => {
  const values = new Float32Array(36);
  values.set([3, 3, -3, -3]);
  expect([...encodeCodes(values, 1, 1, 36).subarray(0, 5)]).toEqual([64, 64, -63, -63, 0]);
});

describe('encodeCodes', () => {
  it('gives each tap unit length and rounds to the definition', () => {
    const entry = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 33 }),
        fc.integer({ min: 1, max: 3 }),
        fc.infiniteStream(entry),
        (dim, taps, stream) => {
          const values = Float32Array.from({ length: dim * taps }, () => stream.next().value as number);
          for (let tap = 0; tap < taps; tap++) values[tap * dim] += 2000;
          const codes = encodeCodes(values, 1, taps, dim);
          for (let tap = 0; tap < taps; tap++) {
            const part = Array.from(values.subarray(tap * dim, (tap + 1) * dim));
            const norm = Math.hypot(...part);
            part.forEach((x, i) => {
              const exact = Math.max(-127, Math.min(127, (x / norm) * codeScale(dim)));
              // At a tie the two roundings of the norm may fall either way.
              expect(Math.abs(codes[tap * dim + i] - exact)).toBeLessThanOrEqual(0.5 + 1e-6);
              if (Math.abs(exact - Math.round(exact)) < 0.49)
                expect(codes[tap * dim + i] + 0).toBe(naiveCode(x, norm, dim) + 0);
            });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not depend on the embedding’s length, down to the smallest and up to the largest floats', () => {
    const direction = Float32Array.from([3, -4, 1, 0.5]);
    const codes = encodeCodes(direction, 1, 1, 4);
    for (const power of [-120, -60, 60, 120]) {
      expect(
        encodeCodes(
          direction.map((x) => x * 2 ** power),
          1,
          1,
          4,
        ),
      ).toEqual(codes);
    }
  });

  it.each([
    ['NaN', [1, NaN]],
    ['NaN first', [NaN, 1]],
    ['infinity', [1, Infinity]],
    ['only zeros', [0, 0]],
  ])('refuses %s', (_name, values) => {
    expect(() => encodeCodes(Float32Array.from(values), 1, 1, 2)).toThrow(
      expect.objectContaining({ code: 'INVALID_EMBEDDING' }),
    );
  });

  it('names the tap and the embedding that cannot be used', () => {
    expect(() => encodeCodes(Float32Array.from([1, 1, 1, 1, 1, 1, 0, 0]), 2, 2, 2)).toThrow('tap 1 of embedding 1');
  });

  it('refuses a wrong number of values', () => {
    expect(() => encodeCodes(new Float32Array(5), 1, 2, 3)).toThrow('Expected 1 x 2 x 3 = 6 values, got 5');
  });
});
