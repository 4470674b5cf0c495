import { describe, expect, it } from 'vitest';
import { balanceWeights } from '../../../../packages/core/src/heads/class-balance.ts';
import { DualBase, type DualKernel, type DualSystem } from '../../../../packages/core/src/heads/dual-base.ts';
import { leaveOneOutLoss, lossShares, squaredError } from '../../../../packages/core/src/heads/leave-one-out-loss.ts';
import type { Expansion } from '../../../../packages/core/src/heads/lambda-search.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import type { Memory } from '../../../../packages/core/src/memory/memory.ts';
import { clusterMemory, solveNaively, type ClusterOptions } from './example-sets.ts';

const context = { gemm: typedArrayGemm };

/** `(1 + <x, y> / 2^15)^2` of the codes. */
function kernelOf({ width, numExamples }: Memory): DualKernel {
  const between: DualKernel['between'] = async (a, rowsA, b, rowsB) => {
    const out = new Float64Array(rowsA * rowsB);
    for (let i = 0; i < rowsA; i++) {
      for (let j = 0; j < rowsB; j++) {
        let dot = 0;
        for (let p = 0; p < width; p++) dot += a[i * width + p] * b[j * width + p];
        out[i * rowsB + j] = (1 + dot / 2 ** 15) ** 2;
      }
    }
    return out;
  };
  return { diagonal: new Float64Array(numExamples), between };
}

/** The loss of a set of examples and what it is computed from. */
function lossOf(options: ClusterOptions) {
  const memory = clusterMemory(options);
  const shares = lossShares(memory, balanceWeights(memory.classIndices, memory.counts));
  const loss = leaveOneOutLoss(memory, shares, context);
  const kernel = kernelOf(memory);
  const { codes, numExamples: n } = memory;
  const systemAt = async (mu: number): Promise<DualSystem> =>
    new DualBase(memory, await kernel.between(codes, n, codes, n), 0).systemAt(mu, kernel, context);
  const at = async (mu: number): Promise<Expansion> => loss(await systemAt(mu), mu);
  return { memory, shares, kernel, systemAt, at };
}

/** The slope in log10 mu, from values nearby. */
async function difference(at: (mu: number) => Promise<Expansion>, mu: number): Promise<number> {
  const h = 1e-3;
  const [left, right] = [await at(mu * 10 ** -h), await at(mu * 10 ** h)];
  return (right.value - left.value) / (2 * h);
}

describe('the squared leave-one-out error', () => {
  it('is that of problems without each example', async () => {
    const { memory, kernel, shares, systemAt } = lossOf({ counts: [4, 1, 3, 5] });
    const { codes, numExamples: n, classIndices, counts, numClasses } = memory;
    const matrix = await kernel.between(codes, n, codes, n);
    const mu = 0.02;
    let expected = 0;
    for (let i = 0; i < n; i++) {
      if (counts[classIndices[i]] === 1) continue;
      const rest = Array.from({ length: n }, (_, j) => j).filter((j) => j !== i);
      const a = solveNaively(
        rest.map((j) => rest.map((k) => matrix[j * n + k] + (j === k ? mu * counts[classIndices[j]] : 0))),
        rest.map((j) => Array.from({ length: numClasses }, (_, c) => Number(classIndices[j] === c))),
      );
      for (let c = 0; c < numClasses; c++) {
        const score = rest.reduce((sum, j, r) => sum + matrix[i * n + j] * a[r][c], 0);
        expected += (n / numClasses / counts[classIndices[i]]) * (Number(classIndices[i] === c) - score) ** 2;
      }
    }
    expect(squaredError(await systemAt(mu), shares)).toBeCloseTo(expected, 9);
  });

  it('knows its slope exactly where no signs are needed', async () => {
    const { at } = lossOf({ counts: [5, 1, 4, 6] });
    for (const mu of [1e-3, 0.05, 2]) expect((await at(mu)).slope).toBeCloseTo(await difference(at, mu), 5);
  });

  it.each([
    ['examples', { counts: [40, 30, 50, 20] }],
    ['examples and classes', { counts: Array<number>(50).fill(4), dim: 12 }],
  ])('estimates it with signs of %s, on an exact value', async (_name, options) => {
    const { at, shares, systemAt } = lossOf(options);
    for (const mu of [0.01, 0.1, 1]) {
      const { value, slope } = await at(mu);
      expect(value).toBe(Math.log(squaredError(await systemAt(mu), shares)));
      // Two sums of about one, each known to a few percent, are what a slope is the difference of.
      expect(Math.abs(slope - (await difference(at, mu)))).toBeLessThan(0.25);
    }
  });

  it('gives equal examples signs of their own', async () => {
    const once = clusterMemory({ counts: [10, 10], spread: 0.5 });
    const [copies, n] = [16, 320];
    const codes = new Int8Array(once.codes.length * copies);
    for (let i = 0; i < n; i++) {
      const from = Math.floor(i / copies);
      codes.set(once.codes.subarray(from * once.width, (from + 1) * once.width), i * once.width);
    }
    const memory: Memory = {
      ...once,
      codes,
      numExamples: n,
      classIndices: Int32Array.from({ length: n }, (_, i) => (i < n / 2 ? 0 : 1)),
      counts: Int32Array.of(n / 2, n / 2),
    };
    const kernel = kernelOf(memory);
    const shares = lossShares(memory, balanceWeights(memory.classIndices, memory.counts));
    const loss = leaveOneOutLoss(memory, shares, context);
    const at = async (mu: number): Promise<Expansion> => {
      const base = new DualBase(memory, await kernel.between(codes, n, codes, n), 0);
      return loss(await base.systemAt(mu, kernel, context), mu);
    };
    // Alike signs would count the products of an example with its copies.
    for (const mu of [0.0002, 0.005, 0.1]) {
      const { slope } = await at(mu);
      const expected = await difference(at, mu);
      expect(Math.abs(slope - expected)).toBeLessThan(0.15);
    }
  });
});
