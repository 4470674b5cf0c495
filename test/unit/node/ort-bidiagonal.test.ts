/** Block bidiagonal solves in one run of ONNX Runtime, against the same block by block. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factorBand } from '../../../packages/core/src/linalg/band-factor.ts';
import { reduceToBand } from '../../../packages/core/src/linalg/band-reduction.ts';
import { bidiagonalSolve, bidiagonalSquares } from '../../../packages/core/src/linalg/bidiagonal-rows.ts';
import { typedArrayGemm } from '../../../packages/core/src/linalg/typed-array-gemm.ts';
import { createOrtGemm } from '../../../packages/node/src/ort-gemm.ts';
import { noise } from '../core/heads/example-sets.ts';

let gemm: Awaited<ReturnType<typeof createOrtGemm>>;
beforeAll(async () => {
  gemm = await createOrtGemm();
});
afterAll(() => gemm.dispose());

/** The factor of a random band, and `rows` random rows by its blocks. */
async function problem(order: number, band: number, rows: number, seed: number) {
  const next = noise(seed);
  const matrix = new Float64Array(order * order);
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < i; j++) matrix[i * order + j] = matrix[j * order + i] = next();
    matrix[i * order + i] = order;
  }
  const reduction = await reduceToBand(matrix, order, { gemm: typedArrayGemm }, band);
  const right = reduction.diagonal.map((block) => Float64Array.from({ length: rows * Math.sqrt(block.length) }, next));
  return { factor: await factorBand(reduction, 1), right };
}

async function expectSame(order: number, band: number, rows: number, seed: number): Promise<void> {
  const { factor, right } = await problem(order, band, rows, seed);
  const before = right.map((block) => block.slice());
  for (const solve of [bidiagonalSquares, bidiagonalSolve]) {
    const got = await solve(right, rows, factor, { gemm });
    const expected = await solve(right, rows, factor, { gemm: typedArrayGemm });
    expect(got.length).toBe(expected.length);
    // The matrix is far from singular: numbers stay near 1 and keep their bits but the last few.
    for (const [i, x] of got.entries()) expect(Math.abs(x - expected[i])).toBeLessThan(1e-13);
  }
  expect(right).toEqual(before);
}

describe('block bidiagonal solves through ONNX Runtime', () => {
  it('are those of core, for any order, band and number of rows', async () => {
    const [order, band] = [fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 })];
    const rows = fc.integer({ min: 1, max: 30 });
    await fc.assert(fc.asyncProperty(order, band, rows, fc.nat(999), expectSame), { numRuns: 40 });
  });

  it('go on from run to run where there are more blocks than one graph has', async () => {
    await expectSame(140, 2, 9, 1);
    await expectSame(64, 1, 3, 2);
    await expectSame(129, 1, 1, 3);
  });

  it('let the event loop turn between slices of many rows', async () => {
    const rows = 40_000;
    const { factor, right } = await problem(160, 32, rows, 3);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const squares = await gemm.bidiagonalSquares64!(right, rows, factor);
    clearInterval(timer);
    // 0.7 billion operations in slices of 0.6.
    expect(turns).toBeGreaterThan(0);
    const last = right.map((block) => block.slice(-block.length / rows));
    const [alone] = await bidiagonalSquares(last, 1, factor, { gemm: typedArrayGemm });
    expect(squares.at(-1)).toBeCloseTo(alone, 12);
  });

  it('refuse to work after dispose', async () => {
    const own = await createOrtGemm();
    const { factor, right } = await problem(4, 2, 1, 1);
    await own.bidiagonalSquares64!(right, 1, factor);
    await own.dispose();
    await expect(own.bidiagonalSquares64!(right, 1, factor)).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
