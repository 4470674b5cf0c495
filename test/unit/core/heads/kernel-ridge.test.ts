import { describe, expect, it } from 'vitest';
import { arcCosineKernel } from '../../../../packages/core/src/heads/arc-cosine-kernel.ts';
import { LEAST_FOR_BAND, manyRidges } from '../../../../packages/core/src/heads/dual-list.ts';
import { kernelRidge } from '../../../../packages/core/src/heads/kernel-ridge.ts';
import { projectedRidge } from '../../../../packages/core/src/heads/projected-ridge.ts';
import { choleskyFactor } from '../../../../packages/core/src/linalg/cholesky.ts';
import { inverseDiagonal, solveSymmetric } from '../../../../packages/core/src/linalg/cholesky-solve.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { codeScale } from '../../../../packages/core/src/memory/codes.ts';
import type { Memory } from '../../../../packages/core/src/memory/memory.ts';
import { rademacherRelu } from '../../../../packages/core/src/projection/rademacher-relu.ts';
import { clusterMemory, noise, solveNaively } from './example-sets.ts';

const context = { gemm: typedArrayGemm };

/** The arc-cosine kernel of two rows, by its formula, on all taps alike. */
function arcCosine(memory: Memory, i: number, j: number): number {
  const { codes, width, taps, dim } = memory;
  const unit = codeScale(dim) ** 2 * taps;
  const dot = (a: number, b: number): number => {
    let sum = 0;
    for (let p = 0; p < width; p++) sum += codes[a * width + p] * codes[b * width + p];
    return sum / unit;
  };
  const lengths = Math.sqrt(dot(i, i) * dot(j, j));
  const angle = Math.acos(Math.min(1, dot(i, j) / lengths));
  return (lengths * (Math.sin(angle) + (Math.PI - angle) * Math.cos(angle))) / (2 * Math.PI);
}

/** Solves `(K + lambda W^-1) a = Y` on `rows`, weights those of the whole memory, and scores row `query`. */
function naiveScores(memory: Memory, kernel: number[][], lambda: number, rows: number[], query: number): number[] {
  const { classIndices, counts, numClasses, numExamples } = memory;
  const weight = (i: number): number => numExamples / (numClasses * counts[classIndices[i]]);
  const unit = kernel.reduce((sum, row, i) => sum + row[i] * weight(i), 0) / numExamples;
  const a = solveNaively(
    rows.map((i) => rows.map((j) => kernel[i][j] + (i === j ? (lambda * unit) / weight(i) : 0))),
    rows.map((i) => Array.from({ length: numClasses }, (_, c) => Number(classIndices[i] === c))),
  );
  return Array.from({ length: numClasses }, (_, c) => rows.reduce((sum, j, r) => sum + kernel[query][j] * a[r][c], 0));
}

/** Balanced squared error against one-hot targets; the only example of a class cannot be learnt without it. */
function squaredErrorOf(leftOut: Float64Array, { classIndices, counts, numClasses }: Memory): number {
  let sum = 0;
  for (const [at, score] of leftOut.entries()) {
    const own = classIndices[Math.floor(at / numClasses)];
    if (counts[own] > 1) sum += ((at % numClasses === own ? 1 : 0) - score) ** 2 / counts[own];
  }
  return sum;
}

const memory = clusterMemory({ counts: [3, 9, 1, 5] });
const all = Array.from(memory.classIndices.keys());
const kernel = all.map((i) => all.map((j) => arcCosine(memory, i, j)));

describe('kernel ridge', () => {
  it.each([0.003, 0.1, 3])('scores and leaves out as the solved equations say, lambda %f', async (lambda) => {
    const fitted = await kernelRidge({ lambda }).fit(memory, context);
    const scores = new Float64Array(all.length * 4);
    fitted.scoresInto(memory.codes, all.length, scores);
    const leftOut = fitted.leaveOneOut();
    for (const i of all) {
      const inside = naiveScores(memory, kernel, lambda, all, i);
      const outside = naiveScores(
        memory,
        kernel,
        lambda,
        all.filter((j) => j !== i),
        i,
      );
      for (let c = 0; c < 4; c++) {
        // Condition numbers below 1e4 leave eleven digits of sixteen.
        expect(scores[i * 4 + c]).toBeCloseTo(inside[c], 10);
        expect(leftOut[i * 4 + c]).toBeCloseTo(outside[c], 10);
      }
    }
  });

  it('gives every class the same say: two copies of a class change nothing but its own weight', async () => {
    const once = clusterMemory({ counts: [4, 4] });
    const doubled: Memory = {
      ...once,
      numExamples: 12,
      codes: Int8Array.from([...once.codes.subarray(0, 48), ...once.codes.subarray(0, 48), ...once.codes.subarray(48)]),
      classIndices: Int32Array.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]),
      counts: Int32Array.from([8, 4]),
      sums: once.sums.map((x, j) => (j < 12 ? 2 * x : x)),
    };
    const [a, b] = await Promise.all([
      kernelRidge({ lambda: 0.1 }).fit(once, context),
      // Twice the examples of one class at half the weight: the mean diagonal stays, the penalty counts 12 instead of 8.
      kernelRidge({ lambda: (0.1 * 12) / 8 }).fit(doubled, context),
    ]);
    const first = new Float64Array(16);
    const second = new Float64Array(16);
    a.scoresInto(once.codes, 8, first);
    b.scoresInto(once.codes, 8, second);
    for (let i = 0; i < 16; i++) expect(second[i]).toBeCloseTo(first[i], 10);
  });

  it('takes the best of given values of lambda, each solved exactly, and refuses what is none', async () => {
    const lambdas = [3, 0.001, 0.2, 50];
    const chosen = await kernelRidge({ lambda: lambdas }).fit(memory, context);
    const fits = await Promise.all(lambdas.map((lambda) => kernelRidge({ lambda }).fit(memory, context)));
    const errors = fits.map((fit) => squaredErrorOf(fit.leaveOneOut(), memory));
    const best = errors.indexOf(Math.min(...errors));
    expect(chosen.report.parameters.lambda).toBe(lambdas[best]);
    expect(chosen.report.reason).toContain('of 4 values tried');
    expect(chosen.leaveOneOut()).toEqual(fits[best].leaveOneOut());
    for (const lambda of [[], [0], -1, [1, NaN]]) {
      await expect(kernelRidge({ lambda }).fit(memory, context)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('solves alike by a band and by Cholesky', async () => {
    const order = 75;
    const next = noise(3);
    const factor = Float64Array.from({ length: order * order }, next);
    const matrix = await typedArrayGemm.f64(factor, factor, { m: order, n: order, k: order, transposeB: true });
    const right = Float64Array.from({ length: order * 3 }, next);
    const solve = await manyRidges(matrix.slice(), order, right, 3, context);
    for (const lambda of [0.01, 1, 100]) {
      const factor = await choleskyFactor(matrix, order, context, lambda);
      const coefficients = await solveSymmetric(factor, right, 3, context);
      const diagonal = await inverseDiagonal(factor, context);
      const solved = await solve(lambda);
      for (let i = 0; i < order * 3; i++) expect(solved.coefficients[i]).toBeCloseTo(coefficients[i], 8);
      for (let i = 0; i < order; i++) expect(solved.inverseDiagonal[i]).toBeCloseTo(diagonal[i], 8);
    }
  });

  it('chooses the same of many values by a band as by a factor for each', async () => {
    const memory = clusterMemory({ counts: [40, 30, 35], taps: 1, dim: 8, spread: 1.5 });
    const lambdas = Array.from({ length: LEAST_FOR_BAND }, (_, i) => 10 ** (i / 2 - 4));
    const many = await kernelRidge({ lambda: lambdas }).fit(memory, context);
    expect(many.report.parameters.solver).toBe('band');
    const few = await kernelRidge({ lambda: many.report.parameters.lambda as number }).fit(memory, context);
    expect(few.report.parameters.solver).toBe('cholesky');
    const [a, b] = [many.leaveOneOut(), few.leaveOneOut()];
    for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i], 8);
    const [around, chosen] = [lambdas.indexOf(many.report.parameters.lambda as number), squaredErrorOf(a, memory)];
    for (const lambda of [lambdas[around - 1], lambdas[around + 1]]) {
      if (lambda === undefined) continue;
      const other = await kernelRidge({ lambda }).fit(memory, context);
      expect(squaredErrorOf(other.leaveOneOut(), memory)).toBeGreaterThan(chosen);
    }
  });

  it.each([
    // Close to the start; classes that overlap, and want more of it; a few examples far apart, and any will do.
    ['as usual', { counts: [12, 20, 16], spread: 1 }],
    ['of classes that overlap', { counts: [40, 40, 40], spread: 6 }],
    ['of classes that do not', { counts: [5, 5, 5], spread: 0.05 }],
    ['of more classes than signs', { counts: Array<number>(40).fill(3), dim: 12, spread: 1 }],
  ])('finds a lambda of which the error is within four in a hundred of the least, %s', async (_name, options) => {
    const memory = clusterMemory(options);
    const searched = await kernelRidge().fit(memory, context);
    const grid = Array.from({ length: 13 }, (_, i) => 10 ** (i / 2 - 4));
    const best = await kernelRidge({ lambda: grid }).fit(memory, context);
    const [error, least] = [searched, best].map((fit) => squaredErrorOf(fit.leaveOneOut(), memory));
    expect(error).toBeLessThan(least * 1.04);
    expect(searched.report.parameters.lambda).toBeGreaterThan(0);
  });

  it('has the arc-cosine kernel of equal, orthogonal and opposite vectors right', () => {
    const values = Float64Array.from([4, 0, -4]);
    arcCosineKernel.applyInto(values, 1, 3, Float64Array.of(4), 0, Float64Array.of(4, 4, 4));
    expect(values[0]).toBeCloseTo(2, 14);
    expect(values[1]).toBeCloseTo(4 / (2 * Math.PI), 14);
    expect(values[2]).toBeCloseTo(0, 14);
  });
});

describe('projected ridge', () => {
  const many = clusterMemory({ counts: [12, 20, 16] });

  it('agrees between primal and dual, and leaves out as the solved equations say', async () => {
    for (const numFeatures of [16, 64]) {
      const lambda = 0.05;
      const fitted = await projectedRidge({ numFeatures, lambda }).fit(many, context);
      expect(fitted.report.parameters.form).toBe(numFeatures === 16 ? 'primal' : 'dual');
      const projection = rademacherRelu({ taps: 2, dim: 6, tapWeights: Float64Array.of(0.5, 0.5) }, numFeatures);
      const features = await projection.project(many.codes, 48, context);
      const rows = Array.from({ length: 48 }, (_, i) => i);
      const products = rows.map((i) =>
        rows.map((j) => {
          let sum = 0;
          for (let m = 0; m < numFeatures; m++) sum += features[i * numFeatures + m] * features[j * numFeatures + m];
          return sum;
        }),
      );
      const scores = new Float64Array(48 * 3);
      fitted.scoresInto(many.codes, 48, scores);
      const leftOut = fitted.leaveOneOut();
      for (const i of [0, 11, 12, 40, 47]) {
        const inside = naiveScores(many, products, lambda, rows, i);
        const outside = naiveScores(
          many,
          products,
          lambda,
          rows.filter((j) => j !== i),
          i,
        );
        // The primal's weights are integers: each is right to 2^-23 of itself.
        const digits = numFeatures === 16 ? 6 : 9;
        for (let c = 0; c < 3; c++) {
          expect(scores[i * 3 + c]).toBeCloseTo(inside[c], digits);
          expect(leftOut[i * 3 + c]).toBeCloseTo(outside[c], digits);
        }
      }
    }
  });

  it('comes close to the infinite-width kernel as features grow', async () => {
    const infinite = await kernelRidge({ lambda: 0.1 }).fit(many, context);
    const expected = infinite.leaveOneOut();
    const errors: number[] = [];
    for (const numFeatures of [64, 4096]) {
      const fitted = await projectedRidge({ numFeatures, lambda: 0.1 }).fit(many, context);
      const squares = fitted.leaveOneOut().reduce((sum, x, i) => sum + (x - expected[i]) ** 2, 0);
      errors.push(Math.sqrt(squares / expected.length));
    }
    // Random features err by 1 / sqrt(M): 64 times as many, an eighth of the error, here with room for chance.
    expect(errors[1]).toBeLessThan(errors[0] / 3);
    expect(errors[1]).toBeLessThan(0.05);
  });
});
