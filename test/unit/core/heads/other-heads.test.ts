import { describe, expect, it } from 'vitest';
import { classCovariance } from '../../../../packages/core/src/heads/class-covariance.ts';
import { codeProducts, codeProductsInto } from '../../../../packages/core/src/heads/code-products.ts';
import { headNamed } from '../../../../packages/core/src/heads/head-named.ts';
import { HEAD_NAMES, STATISTICS_HEAD_NAMES } from '../../../../packages/core/src/heads/head-names.ts';
import { nearestExamples } from '../../../../packages/core/src/heads/nearest-examples.ts';
import { columnScales, tapGroups, tapWeights, weightedRows } from '../../../../packages/core/src/heads/tap-weights.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { clusterCodes, clusterMemory, noise, solveNaively, withoutRow } from './example-sets.ts';

const context = { gemm: typedArrayGemm };

describe('nearest examples', () => {
  it('leaves out what a fit without the example gives', async () => {
    const memory = clusterMemory({ counts: [4, 6, 3], spread: 2 });
    const head = nearestExamples({ k: 3 });
    const leftOut = (await head.fit(memory, context)).leaveOneOut();
    const scores = new Float64Array(3);
    for (const i of memory.classIndices.keys()) {
      const refitted = await head.fit(withoutRow(memory, i), context);
      refitted.scoresInto(memory.codes.subarray(i * 12, (i + 1) * 12), 1, scores);
      expect(Array.from(leftOut.subarray(i * 3, i * 3 + 3))).toEqual(Array.from(scores));
    }
  });

  it('answers with fewer examples than neighbours', async () => {
    const fitted = await nearestExamples({ k: 5 }).fit(clusterMemory({ counts: [1, 1] }), context);
    const scores = new Float64Array(2);
    fitted.scoresInto(clusterCodes({ counts: [1, 1] }).subarray(0, 12), 1, scores);
    expect(scores[0]).toBeGreaterThan(scores[1]);
  });
});

describe('class covariance', () => {
  it('leaves out by a downdate what writing out the held normalisation gives', async () => {
    const memory = clusterMemory({ counts: [20, 22], taps: 1, dim: 4 });
    const fitted = await classCovariance().fit(memory, context);
    const leftOut = fitted.leaveOneOut();
    const groups = tapGroups(1, 4, tapWeights(1, 'last'));
    const flat = weightedRows(memory.codes, 42, 4, groups);
    const rows = Array.from({ length: 42 }, (_, i) => Array.from(flat.subarray(i * 4, i * 4 + 4)));
    const axes = [0, 1, 2, 3];
    for (const i of [0, 7, 19, 20, 41]) {
      const own = rows.filter((_, j) => memory.classIndices[j] === memory.classIndices[i]);
      const meanOf = (list: number[][]): number[] => axes.map((a) => list.reduce((s, r) => s + r[a], 0) / list.length);
      const scatterOf = (list: number[][]): number[][] => {
        const m = meanOf(list);
        return axes.map((a) => axes.map((b) => list.reduce((s, r) => s + (r[a] - m[a]) * (r[b] - m[b]), 0)));
      };
      const divisor = own.length - 1;
      const whole = scatterOf(own).map((row) => row.map((x) => x / divisor));
      const variance = axes.reduce((s, a) => s + whole[a][a], 0) / 4;
      const covariance = (whole.flat().reduce((s, x) => s + x, 0) - 4 * variance) / 12;
      const shrink = (matrix: number[][]): number[][] =>
        matrix.map((row, a) => row.map((x, b) => x + (a === b ? variance : covariance)));
      const deviations = axes.map((a) => Math.sqrt(shrink(whole)[a][a]));
      const rest = own.filter((row) => row !== rows[i]);
      const without = shrink(scatterOf(rest).map((row) => row.map((x) => x / divisor)));
      const correlations = without.map((row, a) => row.map((x, b) => x / (deviations[a] * deviations[b])));
      const mean = meanOf(rest);
      const z = axes.map((a) => rows[i][a] - mean[a]);
      const solved = solveNaively(
        correlations,
        z.map((x) => [x]),
      );
      const distance = z.reduce((s, x, a) => s + x * solved[a][0], 0);
      expect(leftOut[i * 2 + memory.classIndices[i]]).toBeCloseTo(-distance / 2, 8);
    }
  });

  it('refuses classes that are too small for a covariance, and says what to do', async () => {
    const fit = classCovariance().fit(clusterMemory({ counts: [30, 19] }), context);
    await expect(fit).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/at least 20 examples .* got a class of 19\. Add examples, or use head 'auto'\./),
    });
  });
});

describe('weighted products of codes', () => {
  it('are the same bits through the Gemm and without, and what the weighted vectors multiply to', async () => {
    const next = noise(2);
    for (const [taps, dim, share] of [
      [1, 5, 0],
      [3, 4, 0.3],
      [3, 4, 1],
      [2, 1500, 0.5],
    ]) {
      const width = taps * dim;
      const codes = Int8Array.from({ length: 7 * width }, () => Math.round(127 * next()));
      const groups = tapGroups(taps, dim, tapWeights(taps, share));
      expect(Math.max(...groups.map((group) => group.width))).toBeLessThanOrEqual(1024);
      const products = await codeProducts(codes, 7, codes, 7, width, groups, context);
      const rows = weightedRows(codes, 7, width, groups);
      const columns = columnScales(groups).length;
      const row = new Float64Array(7);
      for (let i = 0; i < 7; i++) {
        codeProductsInto(codes, i, codes, 7, width, groups, row);
        expect(row).toEqual(products.slice(i * 7, i * 7 + 7));
        for (let j = 0; j < 7; j++) {
          let sum = 0;
          for (let p = 0; p < columns; p++) sum += rows[i * columns + p] * rows[j * columns + p];
          expect(Math.abs(products[i * 7 + j] - sum)).toBeLessThan(1e-10);
        }
      }
    }
  });

  it('weighs taps to one, the first apart from the rest', () => {
    expect(Array.from(tapWeights(4, 'last'))).toEqual([1, 0, 0, 0]);
    expect(Array.from(tapWeights(4, 'all'))).toEqual([0.25, 0.25, 0.25, 0.25]);
    const half = tapWeights(4, 0.5);
    expect(half.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 14);
    expect(half[0]).toBeCloseTo(0.625, 14);
    expect(Array.from(tapWeights(1, 0.5))).toEqual([1]);
  });
});

describe('heads by name', () => {
  it('know every name they list, and name them in the error for another', () => {
    for (const name of HEAD_NAMES) expect(headNamed(name).name).toBe(name);
    expect(HEAD_NAMES[0]).toBe('auto');
    expect(() => headNamed('constructor')).toThrowError(/one of auto, .*got "constructor"/);
  });

  it('list those that sums alone can solve', () => {
    // Ledoit-Wolf's needs every example, and says so where a program asks for it all the same.
    const able = HEAD_NAMES.filter(
      (name) => headNamed(name).fitFromStatistics !== undefined && name !== 'discriminant-ledoit-wolf',
    );
    expect(STATISTICS_HEAD_NAMES).toEqual(able);
  });
});
