import { describe, expect, it } from 'vitest';
import { factoredSystem } from '../../../../packages/core/src/linalg/factored-system.ts';
import { LowRankUpdate } from '../../../../packages/core/src/linalg/low-rank-update.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { transpose } from '../../../../packages/core/src/linalg/transpose.ts';
import { noise } from '../heads/example-sets.ts';

const context = { gemm: typedArrayGemm };
const [ORDER, COUNT] = [40, 5];

/** A positive definite matrix, some rows, and what they are solved with it. */
async function problem(weights: Float64Array) {
  const next = noise(7);
  const random = (length: number): Float64Array => Float64Array.from({ length }, next);
  const half = random(ORDER * ORDER);
  const shape = { m: ORDER, n: ORDER, k: ORDER, transposeB: true };
  const matrix = await typedArrayGemm.f64(half, half, shape);
  for (let i = 0; i < ORDER; i++) matrix[i * ORDER + i] += 3;
  const rows = random(weights.length * ORDER);
  const changed = matrix.slice();
  for (const [r, weight] of weights.entries()) {
    for (let i = 0; i < ORDER; i++) {
      for (let j = 0; j < ORDER; j++) changed[i * ORDER + j] += weight * rows[r * ORDER + i] * rows[r * ORDER + j];
    }
  }
  const solve = async (of: Float64Array, right: Float64Array): Promise<Float64Array> => {
    const count = right.length / ORDER;
    const system = await factoredSystem(of, ORDER, 0.5, context);
    return transpose(await system.solve(transpose(right, count, ORDER), count), ORDER, count);
  };
  const update = await LowRankUpdate.of(ORDER, rows, await solve(matrix, rows), weights, context);
  return { matrix, changed, solve, update, right: random(COUNT * ORDER) };
}

const difference = (a: Float64Array, b: Float64Array): number => Math.max(...a.map((x, i) => Math.abs(x - b[i])));

describe('an update of low rank', () => {
  it.each([
    ['rows that come', [1, 2, 0.5]],
    ['rows that go, as far as the matrix allows', [-0.05, -0.02]],
    ['both, and rows that count the same as before', [3, -0.04, 0, 1e6]],
    ['nothing', []],
  ])('solves with %s as the changed matrix does', async (_name, weights) => {
    const { matrix, changed, solve, update, right } = await problem(Float64Array.from(weights));
    const solved = await solve(matrix, right);
    await update.correct(solved, COUNT, context);
    const expected = await solve(changed, right);
    expect(difference(solved, expected)).toBeLessThan(1e-10);

    const formsOf = (solutions: Float64Array): Float64Array =>
      Float64Array.from({ length: COUNT }, (_, i) => {
        let sum = 0;
        for (let j = i * ORDER; j < (i + 1) * ORDER; j++) sum += solutions[j] * right[j];
        return sum;
      });
    const forms = formsOf(await solve(matrix, right));
    await update.correctForms(forms, right, COUNT, context);
    expect(difference(forms, formsOf(expected))).toBeLessThan(1e-9);
  });

  it('names a change that leaves no positive definite matrix', async () => {
    const rows = Float64Array.of(1, 0);
    // I - e e^T is singular.
    await expect(LowRankUpdate.of(2, rows, rows, Float64Array.of(-1), context)).rejects.toMatchObject({
      code: 'NOT_POSITIVE_DEFINITE',
    });
  });
});
