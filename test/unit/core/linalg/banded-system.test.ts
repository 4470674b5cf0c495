import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reduceToBand, type BandReduction } from '../../../../packages/core/src/linalg/band-reduction.ts';
import { bandedSystem } from '../../../../packages/core/src/linalg/banded-system.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { wasmGemm } from '../../../../packages/core/src/linalg/wasm-gemm.ts';
import { noise, solveNaively } from '../heads/example-sets.ts';

const shapes = { order: fc.integer({ min: 1, max: 40 }), band: fc.integer({ min: 1, max: 9 }), seed: fc.nat(999) };

/** `F F^T` of `rank` columns, so that a matrix may be singular. */
function semidefinite(order: number, rank: number, seed: number): Float64Array {
  const next = noise(seed);
  const f = Array.from({ length: order }, () => Array.from({ length: rank }, next));
  return Float64Array.from({ length: order * order }, (_, at) => {
    const [i, j] = [Math.floor(at / order), at % order];
    return f[i].reduce((sum, x, p) => sum + x * f[j][p], 0);
  });
}

/** The band as a whole matrix. */
function unpacked({ order, band, diagonal, below }: BandReduction): number[][] {
  const out = Array.from({ length: order }, () => Array<number>(order).fill(0));
  for (const [k, block] of diagonal.entries()) {
    const width = Math.min(band, order - k * band);
    block.forEach((x, at) => (out[k * band + Math.floor(at / width)][k * band + (at % width)] = x));
    below[k]?.forEach((x, at) => {
      const [i, j] = [(k + 1) * band + Math.floor(at / width), k * band + (at % width)];
      out[i][j] = out[j][i] = x;
    });
  }
  return out;
}

/** Rows times columns, as arrays of rows. */
function times(a: number[][], b: number[][]): number[][] {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, x, p) => sum + x * b[p][j], 0)));
}

async function expectSameMatrix(order: number, band: number, rank: number, seed: number): Promise<void> {
  const matrix = semidefinite(order, rank, seed);
  const before = matrix.slice();
  const reduction = await reduceToBand(matrix, order, { gemm: typedArrayGemm }, band);
  expect(matrix).toEqual(before);
  const rotation = Array.from({ length: order }, (_, i) =>
    Array.from(reduction.rotation.subarray(i * order, (i + 1) * order)),
  );
  const back = rotation[0].map((_, j) => rotation.map((row) => row[j]));
  const squared = times(rotation, back);
  const rebuilt = times(times(rotation, unpacked(reduction)), back);
  const scale = 1 + matrix.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  let [turned, changed] = [0, 0];
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) {
      turned = Math.max(turned, Math.abs(squared[i][j] - (i === j ? 1 : 0)));
      changed = Math.max(changed, Math.abs(rebuilt[i][j] - matrix[i * order + j]) / scale);
    }
  }
  expect(turned).toBeLessThan(1e-12);
  expect(changed).toBeLessThan(1e-12);
}

describe('the reduction to a band', () => {
  it('keeps the matrix: Q B Q^T is A, and Q is orthogonal, for any order, band and rank', async () => {
    await fc.assert(fc.asyncProperty(shapes.order, shapes.band, fc.nat(40), shapes.seed, expectSameMatrix), {
      numRuns: 30,
    });
  });

  it('does so where reflections are put off, taken up and moved together', async () => {
    await expectSameMatrix(230, 16, 230, 1);
    await expectSameMatrix(200, 7, 50, 2);
  });
});

describe('the banded system', () => {
  it('solves every shift, with the diagonal of its inverse, as elimination does', async () => {
    await fc.assert(
      fc.asyncProperty(shapes.order, shapes.band, shapes.seed, async (order, band, seed) => {
        const matrix = semidefinite(order, Math.ceil(order / 2), seed);
        const next = noise(seed + 1);
        const right = Float64Array.from({ length: order * 2 }, next);
        const gemm = seed % 2 === 0 ? typedArrayGemm : wasmGemm;
        const solve = await bandedSystem(await reduceToBand(matrix, order, { gemm }, band), right, 2, { gemm });
        for (const ridge of [0.05, 2]) {
          const shifted = Array.from({ length: order }, (_, i) =>
            Array.from({ length: order }, (_, j) => matrix[i * order + j] + (i === j ? ridge : 0)),
          );
          const sides = Array.from({ length: order }, (_, i) =>
            Array.from({ length: order + 2 }, (_, j) => (j < 2 ? right[i * 2 + j] : j - 2 === i ? 1 : 0)),
          );
          const naive = solveNaively(shifted, sides);
          const { solved, inverseDiagonal } = await solve(ridge);
          // Condition numbers stay below 1e4.
          for (let i = 0; i < order; i++) {
            expect(inverseDiagonal[i]).toBeCloseTo(naive[i][2 + i], 9);
            for (let c = 0; c < 2; c++) expect(solved[i * 2 + c]).toBeCloseTo(naive[i][c], 9);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('names the pivot where a shift leaves nothing positive definite', async () => {
    const context = { gemm: typedArrayGemm };
    const reduction = await reduceToBand(semidefinite(12, 12, 5), 12, context, 3);
    const solve = await bandedSystem(reduction, new Float64Array(12).fill(1), 1, context);
    await expect(solve(-1e3)).rejects.toThrowError(/positive definite matrix of order 12, got pivot 0 = -/);
    await expect(solve(NaN)).rejects.toMatchObject({ code: 'NOT_POSITIVE_DEFINITE' });
  });

  it('stops between blocks when it is aborted', async () => {
    const aborted = { gemm: typedArrayGemm, signal: AbortSignal.abort(new Error('enough')) };
    await expect(reduceToBand(semidefinite(12, 12, 5), 12, aborted, 3)).rejects.toThrowError('enough');
  });
});
