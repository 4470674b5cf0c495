import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headNamed } from '../../../../packages/core/src/heads/head-named.ts';
import { discriminant } from '../../../../packages/core/src/heads/discriminant.ts';
import { kernelRidge } from '../../../../packages/core/src/heads/kernel-ridge.ts';
import { nearestClassMean } from '../../../../packages/core/src/heads/nearest-class-mean.ts';
import { shrinkPrecision } from '../../../../packages/core/src/heads/shrinkage.ts';
import { tapGroups, tapWeights, weightedRows } from '../../../../packages/core/src/heads/tap-weights.ts';
import { dualProducts } from '../../../../packages/core/src/heads/within-class-dual.ts';
import { withinClassProducts } from '../../../../packages/core/src/heads/within-class-products.ts';
import type { Head, StatisticsMemory } from '../../../../packages/core/src/head.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { codeGram } from '../../../../packages/core/src/memory/gram.ts';
import type { Memory } from '../../../../packages/core/src/memory/memory.ts';
import { clusterCodes, clusterMemory, solveNaively, withoutRow } from './example-sets.ts';

const context = { gemm: typedArrayGemm };

async function statisticsOf(memory: Memory): Promise<StatisticsMemory> {
  const { taps, dim, width, numClasses, numExamples, counts, sums } = memory;
  const gram = await codeGram(memory.codes, numExamples, width, context);
  return { taps, dim, width, numClasses, numExamples, counts, sums, gram };
}

/** Discriminant scores of x from rows of examples, the ridge and factor given: every matrix written out. */
function naiveScores(
  rows: number[][],
  owners: number[],
  classes: number,
  x: number[],
  ridge: number,
  factor: number,
): number[] {
  const dim = x.length;
  const means = Array.from({ length: classes }, (_, c) => {
    const own = rows.filter((_, i) => owners[i] === c);
    return x.map((_, j) => own.reduce((sum, row) => sum + row[j], 0) / own.length);
  });
  const scatter = Array.from({ length: dim }, (_, a) =>
    Array.from({ length: dim }, (_, b) =>
      rows.reduce(
        (sum, row, i) => sum + (row[a] - means[owners[i]][a]) * (row[b] - means[owners[i]][b]),
        a === b ? ridge : 0,
      ),
    ),
  );
  return means.map((mean) => {
    const direction = solveNaively(
      scatter,
      mean.map((m) => [m]),
    ).map(([w]) => w * factor);
    return direction.reduce((sum, w, j) => sum + w * (x[j] - mean[j] / 2), 0);
  });
}

describe('the discriminant', () => {
  it.each(['gda', 'oas', 'ledoit-wolf', 0.3] as const)(
    'scores and leaves out as its equations say, shrinkage %s',
    async (shrinkage) => {
      for (const counts of [
        [2, 3, 4],
        [6, 9, 12],
      ]) {
        const memory = clusterMemory({ counts });
        const groups = tapGroups(2, 6, tapWeights(2, 0.5));
        const { numExamples, numClasses } = memory;
        const every = Int32Array.from(memory.classIndices.keys());
        const { precision } = await withinClassProducts(memory, groups, shrinkage, every, context);
        const flat = weightedRows(memory.codes, numExamples, 12, groups);
        const rows = Array.from(every, (i) => Array.from(flat.subarray(i * 12, (i + 1) * 12)));
        const owners = Array.from(memory.classIndices);
        const fitted = await discriminant({ shrinkage, taps: 0.5 }).fit(memory, context);
        expect(fitted.report.parameters.form).toBe(numExamples < 12 ? 'dual' : 'primal');
        const scores = new Float64Array(numExamples * numClasses);
        fitted.scoresInto(memory.codes, numExamples, scores);
        const leftOut = fitted.leaveOneOut();
        for (const i of every) {
          const naive = naiveScores(rows, owners, numClasses, rows[i], precision.ridge, precision.factor);
          const others = every.filter((j) => j !== i);
          const without = naiveScores(
            Array.from(others, (j) => rows[j]),
            Array.from(others, (j) => owners[j]),
            numClasses,
            rows[i],
            precision.ridge,
            precision.factor,
          );
          for (let c = 0; c < numClasses; c++) {
            // Scores are differences of numbers of a few hundred, with weights that are rounded to 32 bits.
            expect(Math.abs(scores[i * numClasses + c] - naive[c])).toBeLessThan(3e-8 * (1 + Math.abs(naive[c])));
            expect(Math.abs(leftOut[i * numClasses + c] - without[c])).toBeLessThan(1e-8 * (1 + Math.abs(without[c])));
          }
        }
      }
    },
  );

  it('is the same in the primal and the dual, whichever is smaller', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.constantFrom('gda' as const, 'oas' as const, 'ledoit-wolf' as const),
        async (counts, seed, shrinkage) => {
          const memory = clusterMemory({ counts, seed, taps: 1, dim: 3 });
          const groups = tapGroups(1, 3, tapWeights(1, 'all'));
          const every = Int32Array.from(memory.classIndices.keys());
          const a = await withinClassProducts(memory, groups, shrinkage, every, context);
          const b = await dualProducts(memory, groups, shrinkage, every, context);
          for (const key of [
            'classWeights',
            'meanSquares',
            'exampleMeans',
            'deviationMeans',
            'exampleSquares',
          ] as const) {
            const scale = 1 + a[key].reduce((most, x) => Math.max(most, Math.abs(x)), 0);
            for (let i = 0; i < a[key].length; i++) expect(Math.abs(a[key][i] - b[key][i]) / scale).toBeLessThan(1e-7);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leaves out a sample of examples with the scores that they have among all', async () => {
    // What broke: the dual, for fewer examples than columns, took the sample's examples for the first ones.
    for (const dim of [20, 320]) {
      const memory = clusterMemory({ counts: Array<number>(150).fill(2), taps: 1, dim });
      const all = (await discriminant().fit(memory, context)).leaveOneOut();
      const sampled = await discriminant().fit(memory, { ...context, leaveOneOutEntries: 1 });
      const rows = sampled.leaveOneOutRows as Int32Array;
      expect(rows).toHaveLength(256);
      const scores = sampled.leaveOneOut();
      for (const [r, i] of rows.entries()) {
        for (let c = 0; c < 150; c++) expect(scores[r * 150 + c]).toBeCloseTo(all[i * 150 + c], 7);
      }
    }
  });

  it('takes a sphere where Ledoit-Wolf has no noise to measure: two examples are mirror images about their mean', async () => {
    const groups = tapGroups(1, 3, tapWeights(1, 'all'));
    // What broke: an intensity of -1e-17 or 0, and a singular matrix, depending on the seed.
    for (let seed = 1; seed <= 50; seed++) {
      const memory = clusterMemory({ counts: [2], seed, taps: 1, dim: 3 });
      const every = Int32Array.from([0, 1]);
      for (const products of [
        await withinClassProducts(memory, groups, 'ledoit-wolf', every, context),
        await dualProducts(memory, groups, 'ledoit-wolf', every, context),
      ]) {
        expect(products.precision).toMatchObject({ scatterWeight: 0, intensity: 1 });
        expect(products.classWeights.every(Number.isFinite)).toBe(true);
      }
    }
  });

  it('shrinks less with more examples, and wholly without any spread', () => {
    const moments = { trace: 1, squares: 0.2, fourth: 0.1, dim: 50 };
    const at = (n: number): number => shrinkPrecision('gda', { ...moments, numExamples: n, degrees: n - 2 }).intensity;
    expect(at(10)).toBeGreaterThan(at(1000));
    expect(shrinkPrecision('oas', { ...moments, trace: 0, numExamples: 9, degrees: 7 }).scatterWeight).toBe(0);
    expect(() => shrinkPrecision(1.5, { ...moments, numExamples: 9, degrees: 7 })).toThrowError(/from 0 to 1/);
  });
});

describe('nearest class mean', () => {
  it.each(['cosine', 'euclidean'] as const)('leaves out what a fit without the example gives, %s', async (metric) => {
    const memory = clusterMemory({ counts: [2, 5, 3] });
    const head = nearestClassMean({ metric, taps: 0.7 });
    const leftOut = (await head.fit(memory, context)).leaveOneOut();
    const scores = new Float64Array(3);
    for (const i of memory.classIndices.keys()) {
      const refitted = await head.fit(withoutRow(memory, i), context);
      refitted.scoresInto(memory.codes.subarray(i * 12, (i + 1) * 12), 1, scores);
      // The refitted weights are rounded to 32 bits.
      for (let c = 0; c < 3; c++) expect(leftOut[i * 3 + c]).toBeCloseTo(scores[c], 9);
    }
  });
});

describe('statistics mode', () => {
  const memory = clusterMemory({ counts: [20, 31, 14] });
  const queries = clusterCodes({ counts: [5, 5, 5], seed: 4 });

  it.each([
    nearestClassMean(),
    nearestClassMean({ metric: 'euclidean', taps: 'last' }),
    discriminant(),
    discriminant({ shrinkage: 'oas', taps: 'last' }),
  ])('gives the scores that the examples give: %s', async (head: Head) => {
    const a = await head.fit(memory, context);
    const b = await head.fitFromStatistics!(await statisticsOf(memory), context);
    const first = new Float64Array(45);
    const second = new Float64Array(45);
    a.scoresInto(queries, 15, first);
    b.scoresInto(queries, 15, second);
    expect(second).toEqual(first);
    expect(() => b.leaveOneOut()).toThrowError(/statistics mode/);
  });

  it('solves linear ridge with the lambda that generalised cross-validation names, tried one by one', async () => {
    const statistics = await statisticsOf(memory);
    const fitted = await kernelRidge({ kernel: 'linear', taps: 'last' }).fitFromStatistics!(statistics, context);
    const groups = tapGroups(2, 6, tapWeights(2, 'last'));
    const flat = weightedRows(memory.codes, 65, 12, groups);
    const rows = Array.from({ length: 65 }, (_, i) => Array.from(flat.subarray(i * 6, (i + 1) * 6)));
    const targets = rows.map((_, i) => [0, 1, 2].map((c) => Number(memory.classIndices[i] === c)));
    const unit = rows.flat().reduce((sum, x) => sum + x * x, 0) / 65;
    /** (RSS / n) / (1 - df / n)^2 with the hat matrix written out. */
    const score = (lambda: number): number => {
      const gram = rows[0].map((_, a) =>
        rows[0].map((_, b) => rows.reduce((s, r) => s + r[a] * r[b], a === b ? lambda * unit : 0)),
      );
      const solved = solveNaively(
        gram,
        rows[0].map((_, a) => rows.map((r) => r[a])),
      );
      let residual = 0;
      let freedom = 0;
      for (let i = 0; i < 65; i++) {
        const hat = rows.map((_, j) => rows[i].reduce((sum, x, a) => sum + x * solved[a][j], 0));
        freedom += hat[i];
        for (let c = 0; c < 3; c++)
          residual += (targets[i][c] - hat.reduce((s, h, j) => s + h * targets[j][c], 0)) ** 2;
      }
      return residual / 65 / (1 - freedom / 65) ** 2;
    };
    const chosen = score(fitted.report.parameters.lambda as number);
    for (const other of [1e-4, 1e-3, 1e-2, 1e-1, 1, 10]) expect(chosen).toBeLessThan(score(other) * 1.02);
  });

  it('lets auto answer by a discriminant, and by the prototype at one example a class', async () => {
    const many = await headNamed('auto').fitFromStatistics!(await statisticsOf(memory), context);
    expect(many.report.parameters.chosen).toBe('discriminant');
    const single = clusterMemory({ counts: [1, 1, 1] });
    const one = await headNamed('auto').fitFromStatistics!(await statisticsOf(single), context);
    expect(one.report.parameters.chosen).toBe('nearest-class-mean');
  });

  it('refuses Ledoit-Wolf, whose fourth moments are no sums it keeps', async () => {
    const fit = discriminant({ shrinkage: 'ledoit-wolf' }).fitFromStatistics!(await statisticsOf(memory), context);
    await expect(fit).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
