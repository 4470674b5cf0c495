/** Linear scores are the same bits one by one, on typed arrays and through any Gemm, whatever its order of sums. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Gemm } from '../../../../packages/core/src/gemm.ts';
import { linearScoresInto, linearScoresMany } from '../../../../packages/core/src/heads/linear-scores.ts';
import { roundWeights } from '../../../../packages/core/src/linalg/rounded-rows.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';

/** A Gemm that sums backwards. */
const backwards: Gemm = {
  ...typedArrayGemm,
  name: 'backwards',
  f64(a, b, { m, n, k }) {
    const out = new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) for (let p = k - 1; p >= 0; p--) out[i * n + j] += a[i * k + p] * b[j * k + p];
    }
    return Promise.resolve(out);
  },
};

/** Numbers that look random, over many magnitudes. */
function weightsOf(count: number, seed: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) * 10 ** (((i * 7) % 9) - 4));
}

it('scores through the Gemm, one by one and backwards are equal bits', async () => {
  const shapes = fc.record({
    width: fc.integer({ min: 60, max: 90 }),
    numClasses: fc.integer({ min: 300, max: 330 }),
    numQueries: fc.integer({ min: 1, max: 130 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  });
  await fc.assert(
    fc.asyncProperty(shapes, async ({ width, numClasses, numQueries, seed }) => {
      const weights = weightsOf(numClasses * width, seed);
      const linear = { width, numClasses, weights, offsets: weightsOf(numClasses, seed + 1) };
      const codes = Int8Array.from({ length: numQueries * width }, (_, i) => Math.sin(i + seed) * 127);
      const single = new Float64Array(numQueries * numClasses);
      for (let q = 0; q < numQueries; q++) {
        linearScoresInto(linear, codes.subarray(q * width), 1, single.subarray(q * numClasses));
      }
      for (const gemm of [typedArrayGemm, backwards]) {
        expect(await linearScoresMany(linear, codes, numQueries, { gemm })).toEqual(single);
      }
    }),
    { numRuns: 8 },
  );
});

it('scores of more weights than are kept as a copy are the bits of few classes at a time', () => {
  const [width, numClasses] = [60, 70_001];
  const weights = weightsOf(numClasses * width, 3);
  const offsets = weightsOf(numClasses, 4);
  const codes = Int8Array.from({ length: 2 * width }, (_, i) => Math.sin(i) * 127);
  const few = new Float64Array(2 * numClasses);
  for (let first = 0; first < numClasses; first += 30_000) {
    const end = Math.min(numClasses, first + 30_000);
    const own = weights.slice(first * width, end * width);
    const part = { width, numClasses: end - first, weights: own, offsets: offsets.slice(first, end) };
    const scores = new Float64Array(2 * (end - first));
    linearScoresInto(part, codes, 2, scores);
    for (let q = 0; q < 2; q++) {
      few.set(scores.subarray(q * (end - first), (q + 1) * (end - first)), q * numClasses + first);
    }
  }
  const all = new Float64Array(2 * numClasses);
  linearScoresInto({ width, numClasses, weights, offsets }, codes, 2, all);
  expect(all).toEqual(few);
});

it('rounding moves a weight by at most 2^-46 of the sum of its class’s weights', () => {
  const width = 512;
  const weights = weightsOf(3 * width, 1);
  const rounded = weights.slice();
  for (let c = 0; c < 3; c++) roundWeights(rounded, c * width, width, 53);
  for (let c = 0; c < 3; c++) {
    const own = weights.subarray(c * width, (c + 1) * width);
    const sum = own.reduce((total, weight) => total + Math.abs(weight), 0);
    for (const [j, weight] of own.entries()) {
      expect(Math.abs(rounded[c * width + j] - weight)).toBeLessThanOrEqual(sum * 2 ** -46);
    }
  }
  expect(rounded).not.toEqual(weights);
});
