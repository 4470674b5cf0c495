/** Linear scores are the same bits one by one, on typed arrays and through any Gemm, whatever its order of sums. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Gemm } from '../../../../packages/core/src/gemm.ts';
import { LinearScores } from '../../../../packages/core/src/heads/linear-scores.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { expectBits } from '../../../expect-bits.ts';

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
    // Enough for more than one block, and for products.
    numClasses: fc.integer({ min: 1500, max: 1530 }),
    numQueries: fc.integer({ min: 1, max: 130 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  });
  await fc.assert(
    fc.asyncProperty(shapes, async ({ width, numClasses, numQueries, seed }) => {
      const weights = weightsOf(numClasses * width, seed);
      const given = weights.slice();
      const linear = await LinearScores.of(
        { width, numClasses, weights, offsets: weightsOf(numClasses, seed + 1) },
        {},
      );
      expectBits(weights, given);
      const codes = Int8Array.from({ length: numQueries * width }, (_, i) => Math.sin(i + seed) * 127);
      const single = new Float64Array(numQueries * numClasses);
      for (let q = 0; q < numQueries; q++) {
        linear.scoresInto(codes.subarray(q * width), 1, single.subarray(q * numClasses));
      }
      const together = new Float64Array(numQueries * numClasses);
      linear.scoresInto(codes, numQueries, together);
      expectBits(together, single);
      for (const gemm of [typedArrayGemm, backwards]) {
        expectBits(await linear.scores(codes, numQueries, { gemm }), single);
      }
    }),
    { numRuns: 4 },
  );
});

it('scores of more classes than a part holds are the bits of few classes at a time, one by one and as products', async () => {
  const [width, numClasses, numQueries] = [60, 70_001, 40];
  const weights = weightsOf(numClasses * width, 3);
  const offsets = weightsOf(numClasses, 4);
  const codes = Int8Array.from({ length: numQueries * width }, (_, i) => Math.sin(i) * 127);
  const few = new Float64Array(numQueries * numClasses);
  for (let first = 0; first < numClasses; first += 30_000) {
    const end = Math.min(numClasses, first + 30_000);
    const own = weights.subarray(first * width, end * width);
    const model = { width, numClasses: end - first, weights: own, offsets: offsets.subarray(first, end) };
    const scores = new Float64Array(numQueries * (end - first));
    (await LinearScores.of(model, {})).scoresInto(codes, numQueries, scores);
    for (let q = 0; q < numQueries; q++) {
      few.set(scores.subarray(q * (end - first), (q + 1) * (end - first)), q * numClasses + first);
    }
  }
  const linear = await LinearScores.of({ width, numClasses, weights, offsets }, {});
  const all = new Float64Array(numQueries * numClasses);
  linear.scoresInto(codes, numQueries, all);
  expectBits(all, few);
  expectBits(await linear.scores(codes, numQueries, { gemm: typedArrayGemm }), few);
});

it('scores are those of the weights as given to 2^-31 of the largest, with no offsets where none are given', async () => {
  const [width, numClasses] = [512, 3];
  const weights = weightsOf(numClasses * width, 1);
  const linear = await LinearScores.of({ width, numClasses, weights }, {});
  const codes = Int8Array.from({ length: width }, (_, i) => Math.sin(i) * 127);
  const scores = new Float64Array(numClasses);
  linear.scoresInto(codes, 1, scores);
  for (let c = 0; c < numClasses; c++) {
    const own = weights.subarray(c * width, (c + 1) * width);
    const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
    const exact = own.reduce((sum, weight, j) => sum + weight * codes[j], 0);
    const steps = codes.reduce((sum, code) => sum + Math.abs(code), 0);
    expect(Math.abs(scores[c] - exact)).toBeLessThanOrEqual(largest * 2 ** -31 * steps);
  }
});

it('turns for the host while it takes weights, and stops when told to', async () => {
  const model = { width: 512, numClasses: 1600, weights: weightsOf(512 * 1600, 1) };
  let turns = 0;
  await LinearScores.of(model, { yieldToHost: () => Promise.resolve(void turns++) });
  expect(turns).toBe(3);
  await expect(LinearScores.of(model, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
});
