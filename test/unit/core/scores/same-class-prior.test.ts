/** p-values from few examples: the formula against loops, and what it changes in both memory modes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Classifier } from '../../../../packages/core/src/classifier.ts';
import { readyEmbeddings } from '../../../../packages/core/src/ready-embeddings.ts';
import type { SameClassCosines } from '../../../../packages/core/src/backbone.ts';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { withinClassScatter } from '../../../../packages/core/src/memory/within-class-scatter.ts';
import { drawExamples } from '../../../../packages/core/src/scores/drawn-examples.ts';
import { fitStatisticsDetector } from '../../../../packages/core/src/scores/statistics-detector.ts';
import { SameClassPrior } from '../../../../packages/core/src/scores/same-class-prior.ts';
import { fitUnknownDetector } from '../../../../packages/core/src/scores/unknown.ts';
import { clusters, memoryOfCodes } from './memory-of-codes.ts';

const sameClass: SameClassCosines = {
  shares: [0.01, 0.1, 0.5, 0.9],
  byExamples: [
    { examples: 1, cosines: [0, 0.2, 0.5, 0.8] },
    { examples: 3, cosines: [0.2, 0.4, 0.7, 0.9] },
  ],
};
const context = { gemm, sameClass };

/** The share below a cosine, step by step. */
function share(cosine: number, examples: number): number {
  const { shares } = sameClass;
  const { cosines } = sameClass.byExamples[examples < 3 ? 0 : 1];
  if (cosine >= cosines[3]) return 1;
  for (let i = 3; i > 0; i--) {
    if (cosine >= cosines[i - 1])
      return shares[i - 1] + ((cosine - cosines[i - 1]) / (cosines[i] - cosines[i - 1])) * (shares[i] - shares[i - 1]);
  }
  return 0.01 * 10 ** ((cosine - cosines[0]) / (cosines[1] - cosines[0]));
}

async function pooled(memory: Parameters<typeof SameClassPrior.of>[0], query: Int8Array, p: number): Promise<number> {
  const prior = await SameClassPrior.of(memory, context);
  const out = Float64Array.of(p);
  prior?.poolInto(query, memory.width, 1, out);
  return out[0];
}

describe('SameClassPrior', () => {
  it.each([
    [[100, 0], 1],
    [[80, 60], 1],
    [[60, 80], 0.5 + 0.1 / 0.3 / 2.5],
    [[28, 96], 0.1 + (0.08 / 0.3) * 0.4],
    [[0, 100], 0.01],
    [[-60, 80], 0.01 * 10 ** -3],
  ])('an only example goes by the share of its kind that is as far away: %j', async (query, expected) => {
    const memory = memoryOfCodes(Int8Array.of(100, 0), [0], 1, 2);
    for (const p of [0.01, 0.5, 1]) expect(await pooled(memory, Int8Array.from(query), p)).toBeCloseTo(expected, 8);
  });

  it('is the most plausible class of all, each weighed by how many examples were left out of classes like it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 7 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 2 ** 20 }),
        async (counts, p, seed) => {
          const taps = 1 + (seed % 2);
          const memory = clusters(counts, taps, 6, 1);
          const query = clusters([1], taps, 6, 2 + (seed % 7)).codes;
          const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
            let sum = 0;
            for (let j = 0; j < 6; j++) sum += a[j] * b[j];
            return sum;
          };
          const plausible = counts.map((count, k) => {
            const left = counts.map((other) =>
              other > 1 ? other * Math.min(1, Math.max(0, count - 1) / (other - 1)) : 0,
            );
            const exponent = 5 / (5 + left.reduce((sum, n) => sum + n, 0));
            const mean = memory.sums.subarray(k * memory.width, k * memory.width + 6);
            const cosine = dot(mean, query) / Math.sqrt(dot(mean, mean) * dot(query, query));
            return share(cosine, count) ** exponent * p ** (1 - exponent);
          });
          expect(await pooled(memory, query, p)).toBeCloseTo(Math.max(...plausible), 7);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('leaves classes of many examples to themselves, and is not there where all have many or the backbone says nothing', async () => {
    const many = clusters([200, 200], 1, 8);
    expect(await SameClassPrior.of(many, context)).toBe(undefined);
    expect(await SameClassPrior.of(clusters([1], 1, 8), { gemm })).toBe(undefined);
    // Near the class of one: that decides. Far from it: never less than the examples say.
    const mixed = clusters([200, 200, 1], 1, 8);
    const alone = mixed.codes.subarray(400 * 8);
    expect(await pooled(mixed, alone, 0.001)).toBe(1);
    expect(
      await pooled(
        mixed,
        Int8Array.from(alone, (v) => -v),
        0.4,
      ),
    ).toBe(0.4);
  });

  it('gives a mean of zero and a class of equal examples numbers, never NaN', async () => {
    const memory = memoryOfCodes(Int8Array.of(50, 50, -50, -50, 7, 7, 7, 7), [0, 0, 1, 1], 1, 2);
    for (const p of [0, 1e-300, 1]) {
      const found = await pooled(memory, Int8Array.of(3, -3), p);
      expect(found).toBeGreaterThanOrEqual(0);
      expect(found).toBeLessThanOrEqual(1);
    }
  });
});

it('comes with the backbone, into either mode, and a file learned without it answers with it', async () => {
  const plain = readyEmbeddings({ name: 'x', dim: 2 });
  const measured = readyEmbeddings({ name: 'x', dim: 2, sameClass });
  const one = { embedding: Float32Array.of(1, 0) };
  const other = { embedding: Float32Array.of(-0.6, 0.8) };
  for (const memory of ['examples', 'statistics'] as const) {
    const classifier = new Classifier(plain, { memory });
    await classifier.addClass('a', [one]);
    expect(await classifier.classify(other)).toMatchObject({ known: true });
    const again = Classifier.restore(classifier.snapshot(), measured);
    expect(await again.classify(other)).toMatchObject({ known: false, label: null });
    expect(await again.classify(one)).toMatchObject({ known: true, label: 'a' });
  }
});

describe('unknown inputs among classes of one example each', () => {
  const dim = 24;
  const memory = clusters([1, 1, 1], 1, dim, 0.3);
  const gram = new Float64Array(dim * dim);
  for (let i = 0; i < 3; i++)
    for (let a = 0; a < dim; a++)
      for (let b = 0; b < dim; b++) gram[a * dim + b] += memory.codes[i * dim + a] * memory.codes[i * dim + b];
  const kin = clusters([30, 30, 30], 1, dim, 0.3).codes;
  const strangers = clusters([0, 0, 0, 40, 40], 1, dim, 0.3).codes;

  it.each([
    ['examples', (own: object) => fitUnknownDetector(memory, { gemm, ...own })],
    [
      'statistics',
      async (own: object) => {
        const statistics = { ...memory, gram };
        const scatter = await withinClassScatter(statistics, { gemm });
        const drawn = await drawExamples(statistics, scatter, { gemm });
        return fitStatisticsDetector(statistics, scatter, drawn, { gemm, ...own });
      },
    ],
  ])('are told in memory mode %s', async (_, fit) => {
    const told = async (own: object, codes: Int8Array): Promise<number> => {
      const detector = await fit(own);
      const count = codes.length / dim;
      const p = new Float64Array(count);
      detector.detectInto(codes, count, new Float64Array(count), p);
      return p.filter((value) => value < 0.03).length / count;
    };
    expect(await told({ sameClass }, strangers)).toBeGreaterThan(0.3);
    expect(await told({}, strangers)).toBeLessThan(0.1);
    expect(await told({ sameClass }, kin)).toBeLessThan(0.05);
  });
});
