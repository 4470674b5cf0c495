import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choleskyFactor, choleskyFactor32 } from '../../../../packages/core/src/linalg/cholesky.ts';
import {
  inverseDiagonal,
  inverseLower,
  solveLower,
  solveSymmetric,
} from '../../../../packages/core/src/linalg/cholesky-solve.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { noise } from './noise.ts';

const context = { gemm: typedArrayGemm };

/** `B B^T + I`, order x order. */
function positiveDefinite(order: number, seed: number): Float64Array {
  const b = noise(order * order, seed);
  const a = new Float64Array(order * order);
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < order; k++) sum += b[i * order + k] * b[j * order + k];
      a[i * order + j] = sum;
    }
  }
  return a;
}

function multiply(a: Float64Array, b: Float64Array, m: number, k: number, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let p = 0; p < k; p++) out[i * n + j] += a[i * k + p] * b[p * n + j];
  return out;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

describe('Cholesky factorisation', () => {
  it('solves what it factored, for every order around the block size', async () => {
    for (const order of [1, 2, 7, 127, 128, 129, 260]) {
      const a = positiveDefinite(order, order);
      const x = noise(order * 3, 7);
      const factor = await choleskyFactor(a, order, context);
      const solved = await solveSymmetric(factor, multiply(a, x, order, order, 3), 3, context);
      // Condition numbers here stay below 1e5, so 1e-9 leaves four digits of room.
      expect(largestDifference(solved, x)).toBeLessThan(1e-9);
    }
  });

  it('adds the ridge to the diagonal and leaves the matrix as it was', async () => {
    const a = positiveDefinite(150, 3);
    const before = a.slice();
    const ridged = a.slice();
    for (let i = 0; i < 150; i++) ridged[i * 150 + i] += 2.5;
    const right = noise(150, 5);
    const one = await solveSymmetric(await choleskyFactor(a, 150, context, 2.5), right, 1, context);
    const two = await solveSymmetric(await choleskyFactor(ridged, 150, context), right, 1, context);
    expect(one).toEqual(two);
    expect(a).toEqual(before);
  });

  it('gives the diagonal of the inverse, against solving for every unit vector', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 140 }), fc.integer({ min: 1, max: 1e6 }), async (order, seed) => {
        const factor = await choleskyFactor(positiveDefinite(order, seed), order, context);
        const identity = new Float64Array(order * order);
        for (let i = 0; i < order; i++) identity[i * order + i] = 1;
        const inverse = await solveSymmetric(factor, identity, order, context);
        const diagonal = await inverseDiagonal(factor, context);
        for (let i = 0; i < order; i++) expect(diagonal[i]).toBeCloseTo(inverse[i * order + i], 9);
      }),
      { numRuns: 12 },
    );
  });

  it('gives the inverse of the lower triangle, against solving for every unit vector', async () => {
    for (const order of [1, 5, 128, 130, 300]) {
      const factor = await choleskyFactor(positiveDefinite(order, order), order, context);
      const identity = new Float64Array(order * order);
      for (let i = 0; i < order; i++) identity[i * order + i] = 1;
      const solved = await solveLower(factor, identity, order, context);
      // The same sums, but for products with the zeros and ones of the identity.
      expect(largestDifference(await inverseLower(factor, context), solved)).toBeLessThan(1e-12);
    }
  });

  it('solves the lower triangle alone: the squared norm of L^-1 b is b^T A^-1 b', async () => {
    const order = 140;
    const factor = await choleskyFactor(positiveDefinite(order, 9), order, context);
    const right = noise(order, 4);
    const z = await solveLower(factor, right, 1, context);
    const x = await solveSymmetric(factor, right, 1, context);
    const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i], 0);
    expect(dot(z, z)).toBeCloseTo(dot(right, x), 9);
  });

  it('factors panels wider than plain loops take, in f64 and f32: residual at rounding, any pivot named', async () => {
    const order = 700;
    // Dominated by its diagonal: its condition number is below 3.
    const a = new Float64Array(order * order);
    const values = noise(order * order, 11);
    for (let i = 0; i < order; i++) {
      for (let j = 0; j <= i; j++) a[i * order + j] = i === j ? order : values[i * order + j];
    }
    const x = noise(order, 3);
    const right = new Float64Array(order);
    for (let i = 0; i < order; i++) {
      for (let j = 0; j <= i; j++) {
        right[i] += a[i * order + j] * x[j];
        if (j < i) right[j] += a[i * order + j] * x[i];
      }
    }
    const block = 300;
    const panels = Array.from({ length: Math.ceil(order / block) }, (_, k) => {
      const width = Math.min(block, order - k * block);
      const panel = new Float64Array((order - k * block) * width);
      for (let i = k * block; i < order; i++) {
        for (let j = 0; j < width; j++) panel[(i - k * block) * width + j] = a[i * order + k * block + j];
      }
      return panel;
    });
    // In the second diagonal block, beyond its first small block.
    const inside = 200;
    const spoiled = panels.map((panel) => panel.slice());
    spoiled[1][inside * block + inside] = -1;
    const { wasmGemm } = await import('../../../../packages/core/src/linalg/wasm-gemm.ts');
    const { choleskyPanel64: _, ...withoutPanels } = wasmGemm;
    for (const gemm of [wasmGemm, { ...withoutPanels, name: 'without panels' }, typedArrayGemm]) {
      const before = panels.map((panel) => panel.slice());
      const factor = await choleskyFactor({ order, block, panels }, order, { gemm });
      expect(panels).toEqual(before);
      expect(factor.block).toBe(block);
      expect(largestDifference(await solveSymmetric(factor, right, 1, { gemm }), x)).toBeLessThan(1e-12);
      const single = await choleskyFactor32({ order, block, panels }, order, { gemm });
      const solved = await solveSymmetric(single, Float32Array.from(right), 1, { gemm });
      expect(largestDifference(solved, x)).toBeLessThan(1e-5);
      await expect(choleskyFactor({ order, block, panels: spoiled }, order, { gemm })).rejects.toThrow(
        `pivot ${block + inside} = -`,
      );
    }
  });

  it('names the pivot of a matrix that is not positive definite, in any block', async () => {
    for (const pivot of [0, 5, 130]) {
      const a = new Float64Array(140 * 140);
      for (let i = 0; i < 140; i++) a[i * 140 + i] = i === pivot ? -1 : 1;
      await expect(choleskyFactor(a, 140, context)).rejects.toMatchObject({
        code: 'NOT_POSITIVE_DEFINITE',
        message: expect.stringContaining(`pivot ${pivot} = -1`),
      });
    }
  });

  it('refuses a singular matrix rather than clamping its pivot', async () => {
    const ones = new Float64Array(9).fill(1);
    await expect(choleskyFactor(ones, 3, context)).rejects.toMatchObject({ code: 'NOT_POSITIVE_DEFINITE' });
  });
});
