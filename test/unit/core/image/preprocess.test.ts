/** Resize, crop and normalise against a naive reference in big integers, on random shapes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canaryPixels } from '../../../../packages/core/src/image/canary-pixels.ts';
import { flattenOnWhite } from '../../../../packages/core/src/image/flatten-on-white.ts';
import { preprocessInto, resizeAndCrop } from '../../../../packages/core/src/image/preprocess.ts';
import { resampleColumnsInto, resampleRowsInto } from '../../../../packages/core/src/image/resample.ts';
import { addRowsWithSimd, resampleWithSimd } from '../../../../packages/core/src/image/resample-simd.ts';
import { resampleWeights, WEIGHT_BITS } from '../../../../packages/core/src/image/resample-weights.ts';
import { addRowsInto, shrinkBoxes } from '../../../../packages/core/src/image/shrink-boxes.ts';
import type { Preprocessing } from '../../../../packages/core/src/backbone.ts';

const shape: Preprocessing = { size: 8, resize: 10, resample: 'bicubic', mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] };

function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Extremes are frequent, so that sums reach their bounds and clamping happens.
    return state >>> 30 === 0 ? 255 : state >>> 30 === 1 ? 0 : (state >>> 16) & 255;
  });
}

const resample = fc.constantFrom('bicubic' as const, 'bilinear' as const);

describe('weights', () => {
  it('sum to one, within rounding, and stay within the bound that makes paired sums exact', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60 }), resample);
    fc.assert(
      fc.property(sizes, ([input, output, filter]) => {
        const { weights, counts, starts, stride } = resampleWeights(input, input, output, 0, output, filter);
        for (let i = 0; i < output; i++) {
          const row = weights.subarray(i * stride, (i + 1) * stride);
          const sum = row.reduce((a, b) => a + b, 0);
          expect(Math.abs(sum - 2 ** WEIGHT_BITS)).toBeLessThanOrEqual(counts[i] / 2 + 1);
          expect(row.reduce((a, b) => a + Math.abs(b), 0)).toBeLessThan(2 * 2 ** WEIGHT_BITS);
          expect(starts[i] >= 0 && counts[i] >= 1 && starts[i] + counts[i] <= input).toBe(true);
        }
      }),
      { numRuns: 200, seed: 2 },
    );
  });
});

/** One pass in big integers, from the definition. */
function naivePass(values: number[][], plan: ReturnType<typeof resampleWeights>): number[][] {
  return Array.from(plan.starts, (start, i) =>
    values[0].map((_, c) => {
      let sum = 1n << BigInt(WEIGHT_BITS - 1);
      for (let t = 0; t < plan.counts[i]; t++) {
        sum += BigInt(plan.weights[i * plan.stride + t]) * BigInt(values[start + t][c]);
      }
      const value = Number(sum >> BigInt(WEIGHT_BITS));
      return Math.min(255, Math.max(0, value));
    }),
  );
}

describe('passes', () => {
  it('equal the definition in big integers, on rows and on columns, odd and even', () => {
    const cases = fc.record({
      width: fc.integer({ min: 1, max: 40 }),
      height: fc.integer({ min: 1, max: 12 }),
      outputs: fc.integer({ min: 1, max: 30 }),
      filter: resample,
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    fc.assert(
      fc.property(cases, ({ width, height, outputs, filter, seed }) => {
        const rgb = noise(width * height * 3, seed);
        const across = resampleWeights(width, width, outputs, 0, outputs, filter);
        const narrow = new Uint8ClampedArray(height * outputs * 3);
        resampleRowsInto(rgb, width, 0, height, across, narrow);
        for (let y = 0; y < height; y++) {
          const row = Array.from({ length: width }, (_, x) => [
            ...rgb.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
          ]);
          expect([...narrow.subarray(y * outputs * 3, (y + 1) * outputs * 3)]).toEqual(naivePass(row, across).flat());
        }
        const down = resampleWeights(height, height, outputs, 0, outputs, filter);
        const square = new Uint8ClampedArray(outputs * outputs * 3);
        resampleColumnsInto(narrow, outputs * 3, 0, down, square);
        const rows = Array.from({ length: height }, (_, y) => [
          ...narrow.subarray(y * outputs * 3, (y + 1) * outputs * 3),
        ]);
        expect([...square]).toEqual(naivePass(rows, down).flat());
      }),
      { numRuns: 60, seed: 3 },
    );
  });
});

describe('SIMD', () => {
  it('gives the same bytes as plain typed arrays, at any shape, crop and filter', () => {
    const cases = fc.record({
      width: fc.integer({ min: 1, max: 70 }),
      height: fc.integer({ min: 1, max: 70 }),
      size: fc.integer({ min: 1, max: 40 }),
      first: fc.integer({ min: 0, max: 9 }),
      filter: resample,
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    fc.assert(
      fc.property(cases, ({ width, height, size, first, filter, seed }) => {
        const rgb = noise(width * height * 3, seed);
        const across = resampleWeights(width, width, size + first, first, size, filter);
        const down = resampleWeights(height, height, size + first, first, size, filter);
        const firstRow = down.starts[0];
        const rowCount = down.starts[size - 1] + down.counts[size - 1] - firstRow;
        const narrow = new Uint8ClampedArray(rowCount * size * 3);
        const plain = new Uint8ClampedArray(size * size * 3);
        resampleRowsInto(rgb, width, firstRow, rowCount, across, narrow);
        resampleColumnsInto(narrow, size * 3, firstRow, down, plain);
        const fast = new Uint8ClampedArray(size * size * 3);
        expect(resampleWithSimd(rgb, width, firstRow, rowCount, across, down, fast)).toBe(true);
        expect(fast).toEqual(plain);
      }),
      { numRuns: 300, seed: 6 },
    );
  });

  it('adds rows as plain typed arrays do, up to 257 of white', () => {
    for (const [width, rows, value] of [
      [1, 1, 7],
      [16, 3, 200],
      [33, 257, 255],
      [100, 20, 0],
    ]) {
      const bytes = value === 0 ? noise(width * rows + 5) : new Uint8Array(width * rows + 5).fill(value);
      const sums = new Float64Array(width);
      addRowsInto(bytes, 5, width, rows, sums);
      expect([...addRowsWithSimd(bytes, 5, width, width, rows)!]).toEqual([...sums]);
    }
  });
});

describe('boxes', () => {
  it('average to the nearest byte, cut ones too, for any factor and any part', () => {
    const cases = fc.record({
      width: fc.integer({ min: 1, max: 50 }),
      height: fc.integer({ min: 1, max: 50 }),
      factorX: fc.integer({ min: 1, max: 9 }),
      factorY: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(cases, ({ width, height, factorX, factorY }) => {
        const rgb = noise(width * height * 3, width + height);
        const left = Math.floor(Math.ceil(width / factorX) / 3);
        const top = Math.floor(Math.ceil(height / factorY) / 3);
        const box = { left, top, width: Math.ceil(width / factorX) - left, height: Math.ceil(height / factorY) - top };
        const out = shrinkBoxes(rgb, width, height, factorX, factorY, box);
        for (let y = 0, o = 0; y < box.height; y++) {
          for (let x = 0; x < box.width; x++) {
            for (let c = 0; c < 3; c++, o++) {
              let [sum, count] = [0, 0];
              for (let sy = (top + y) * factorY; sy < Math.min((top + y + 1) * factorY, height); sy++) {
                for (let sx = (left + x) * factorX; sx < Math.min((left + x + 1) * factorX, width); sx++) {
                  sum += rgb[(sy * width + sx) * 3 + c];
                  count++;
                }
              }
              expect(Math.abs(out[o] - sum / count)).toBeLessThanOrEqual(0.5 + 1e-9);
            }
          }
        }
      }),
      { numRuns: 60, seed: 4 },
    );
  });

  it('stays exact where a box is taller than the 257 rows of a 16-bit lane', () => {
    const [width, height] = [5, 1200];
    const white = shrinkBoxes(new Uint8Array(width * height * 3).fill(255), width, height, 5, 1200, {
      left: 0,
      top: 0,
      width: 1,
      height: 1,
    });
    expect([...white]).toEqual([255, 255, 255]);
  });
});

describe('resizeAndCrop', () => {
  it('keeps a picture of the model’s size as it is', () => {
    const rgb = noise(8 * 8 * 3);
    expect([...resizeAndCrop(rgb, 8, 8, { ...shape, resize: 8 })]).toEqual([...rgb]);
  });

  it('keeps every single-colour picture that colour, at any shape', () => {
    const cases = fc.tuple(
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 0, max: 255 }),
      resample,
    );
    fc.assert(
      fc.property(cases, ([width, height, value, filter]) => {
        const square = resizeAndCrop(new Uint8Array(width * height * 3).fill(value), width, height, {
          ...shape,
          resample: filter,
        });
        expect(new Set(square)).toEqual(new Set([value]));
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it('turns with its picture', () => {
    const side = { ...shape, resize: 12, size: 8 };
    const rgb = noise(23 * 23 * 3);
    const turned = new Uint8Array(rgb.length);
    for (let i = 0; i < 23 * 23; i++) turned.set(rgb.subarray(i * 3, i * 3 + 3), (23 * 23 - 1 - i) * 3);
    const square = resizeAndCrop(rgb, 23, 23, side);
    const other = resizeAndCrop(turned, 23, 23, side);
    for (let i = 0; i < 64; i++) {
      expect([...other.subarray(i * 3, i * 3 + 3)]).toEqual([...square.subarray((63 - i) * 3, (64 - i) * 3)]);
    }
  });

  it.each([
    [1, 1],
    [20_000, 3],
    [3, 20_000],
    [1, 5000],
    [9, 8],
  ])('takes %i x %i', (width, height) => {
    const square = resizeAndCrop(noise(width * height * 3), width, height, { ...shape, size: 224, resize: 256 });
    expect(square).toHaveLength(224 * 224 * 3);
  });

  it('refuses wrong sides and wrong lengths, and says what is right', () => {
    expect(() => resizeAndCrop(new Uint8Array(12), 2, 2, { ...shape, resize: 4 })).toThrow(
      'an integer of at least size (8)',
    );
    expect(() => resizeAndCrop(new Uint8Array(11), 2, 2, shape)).toThrow(
      'Expected 2 x 2 x 3 = 12 bytes for rgb, got 11',
    );
    expect(() => resizeAndCrop(new Uint8Array(0), 0, 2, shape)).toThrow('a positive integer for width');
    expect(() => preprocessInto(new Uint8Array(12), 2, 2, shape, new Float32Array(5))).toThrow(
      'a Float32Array of length 192',
    );
  });
});

describe('normalisation', () => {
  it('is (v / 255 - mean) / std, channel first', () => {
    const rgb = noise(8 * 8 * 3);
    const out = new Float32Array(192);
    preprocessInto(rgb, 8, 8, { ...shape, resize: 8 }, out);
    for (let i = 0; i < 64; i++) {
      for (let c = 0; c < 3; c++) {
        expect(out[c * 64 + i]).toBe(Math.fround((rgb[i * 3 + c] / 255 - shape.mean[c]) / shape.std[c]));
      }
    }
  });

  it('makes the canary picture from its formula', () => {
    const pixels = canaryPixels({ ...shape, size: 70 });
    const at = (c: number, y: number, x: number) => pixels[(c * 70 + y) * 70 + x];
    for (const [c, y, x] of [
      [0, 0, 0],
      [2, 69, 69],
      [1, 31, 44],
    ]) {
      const value = (x * 7 + y * 13 + c * 31 + ((x * y) % 61) * 3) % 256;
      expect(at(c, y, x)).toBe(Math.fround((value / 255 - shape.mean[c]) / shape.std[c]));
    }
  });
});

describe('flattenOnWhite', () => {
  it('rounds to the nearest for every colour and alpha', () => {
    for (let alpha = 0; alpha < 256; alpha++) {
      const rgba = Uint8Array.from({ length: 256 * 4 }, (_, i) => (i % 4 === 3 ? alpha : i >> 2));
      const rgb = flattenOnWhite(rgba);
      for (let v = 0; v < 256; v++) expect(rgb[v * 3]).toBe(Math.round((v * alpha + 255 * (255 - alpha)) / 255));
    }
  });
});
