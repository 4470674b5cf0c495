/** Whitening of few examples, against the matrix that it whitens, written out. */

import { expect, it } from 'vitest';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { whitenFew } from '../../../../packages/core/src/scores/novelty/few-examples.ts';
import { firstTapMeans } from '../../../../packages/core/src/scores/novelty/first-tap.ts';
import { groupRidge } from '../../../../packages/core/src/scores/novelty/whitened-groups.ts';
import { clusters } from './memory-of-codes.ts';

it.each([
  { counts: [1], taps: 1, dim: 1 },
  { counts: [1, 1], taps: 1, dim: 3 },
  { counts: [4, 2, 5], taps: 2, dim: 24 },
  // Two panels of the factor.
  { counts: [90, 50], taps: 1, dim: 150 },
])('inverts the scatter of $counts examples in $dim dimensions and $taps taps', async ({ counts, taps, dim }) => {
  const memory = clusters(counts, taps, dim);
  const ridge = groupRidge(dim);
  const means = firstTapMeans(memory);
  const { whitening, few } = await whitenFew(memory, means, ridge, { gemm });
  const scatter = new Float64Array(dim * dim);
  for (let a = 0; a < dim; a++) {
    for (let b = 0; b < dim; b++) {
      let sum = a === b ? ridge : 0;
      for (const [i, c] of memory.classIndices.entries()) {
        const at = i * memory.width;
        sum += (memory.codes[at + a] - means[c * dim + a]) * (memory.codes[at + b] - means[c * dim + b]);
      }
      scatter[a * dim + b] = sum;
    }
  }
  const square = { m: dim, n: dim, k: dim };
  const byT = await gemm.f64(whitening, whitening, { ...square, transposeA: true });
  const byU = (await gemm.f64(few, few, { m: dim, n: dim, k: memory.numExamples, transposeA: true })).map(
    (x, at) => ((at % (dim + 1) === 0 ? 1 : 0) - x) / ridge,
  );
  for (const inverse of [byT, byU]) {
    const identity = await gemm.f64(inverse, scatter, square);
    // The scatter's condition number is below 300.
    for (const [at, x] of identity.entries()) expect(x).toBeCloseTo(at % (dim + 1) === 0 ? 1 : 0, 11);
  }
});

it('takes one mean for all examples', async () => {
  const memory = clusters([3, 2], 1, 24);
  const mean = Float64Array.from({ length: 24 }, (_, j) => (memory.sums[j] + memory.sums[24 + j]) / 5);
  const one = clusters([3, 2], 1, 24);
  const asOne = { ...one, classIndices: new Int32Array(5), numClasses: 1 };
  const a = await whitenFew(memory, mean, 9, { gemm });
  const b = await whitenFew(asOne, mean, 9, { gemm });
  const products = (t: Float64Array): Promise<Float64Array> =>
    gemm.f64(t, t, { m: 24, n: 24, k: 24, transposeA: true });
  const [x, y] = [await products(a.whitening), await products(b.whitening)];
  for (const [i, value] of x.entries()) expect(value).toBeCloseTo(y[i], 11);
});
