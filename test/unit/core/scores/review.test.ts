/** Review and suggestions on clusters where the truth is known. */

import { beforeAll, describe, expect, it } from 'vitest';
import { nearestClassMean } from '../../../../packages/core/src/heads/nearest-class-mean.ts';
import type { FittedHead, Memory } from '../../../../packages/core/src/head.ts';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { encodeCodes } from '../../../../packages/core/src/memory/codes.ts';
import { fitTemperature } from '../../../../packages/core/src/scores/calibration.ts';
import { whitenedMemory } from '../../../../packages/core/src/scores/novelty/whitened-memory.ts';
import { review, type Review } from '../../../../packages/core/src/scores/review.ts';
import { suggest } from '../../../../packages/core/src/scores/suggest.ts';
import { clusterEmbedding } from '../../../embeddings.ts';
import { clusters, codeOf, memoryOfCodes } from './memory-of-codes.ts';

const dim = 24;

/** The memory with other codes in the given rows. */
function replaced(memory: Memory, rows: ReadonlyMap<number, Int8Array>): Memory {
  const codes = memory.codes.slice();
  for (const [row, code] of rows) codes.set(code, row * memory.width);
  return memoryOfCodes(codes, memory.classIndices, memory.taps, memory.dim);
}

async function fitted(memory: Memory): Promise<{ head: FittedHead; temperature: number }> {
  const head = await nearestClassMean().fit(memory, { gemm });
  const temperature = await fitTemperature(
    head.leaveOneOut(),
    memory.classIndices,
    memory.numExamples,
    memory.numClasses,
  );
  return { head, temperature };
}

describe('review', () => {
  const clean = clusters([12, 12, 12, 12], 1, dim);
  const fresh = clusters([0, 0, 1, 0, 0, 0, 1], 1, dim);
  const memory = replaced(
    clean,
    new Map([
      [5, codeOf(fresh, 0)],
      [30, codeOf(fresh, 1)],
      [41, codeOf(clean, 44)],
    ]),
  );
  let found: Review;
  beforeAll(async () => {
    const { head, temperature } = await fitted(memory);
    found = await review(memory, head, temperature, await whitenedMemory.fit(memory, { gemm }), { gemm });
  });

  it('suspects the example of class 2 that stands in class 0 first', () => {
    expect(found.suspectLabels[0]).toMatchObject({ row: 5, suggestedClass: 2 });
    expect(found.suspectLabels[0].margin).toBeGreaterThan(0.3);
  });

  it('calls the example of no class an outlier', () => {
    expect(found.outliers.map(({ row }) => row)).toContain(30);
    expect(found.outliers.every(({ deviations }) => deviations >= 3.5)).toBe(true);
  });

  it('lists the example that came twice, and no other pair', () => {
    expect(found.duplicates).toEqual([{ rows: [41, 44], similarity: expect.closeTo(1, 12) }]);
  });

  it('finds nothing in clean clusters, nor in a single example', async () => {
    for (const quiet of [clean, clusters([1], 1, dim), clusters([1, 1, 1], 1, dim)]) {
      const { head, temperature } = await fitted(quiet);
      const novelty = await whitenedMemory.fit(quiet, { gemm });
      const nothing = await review(quiet, head, temperature, novelty, { gemm });
      expect(nothing.suspectLabels).toEqual([]);
      expect(nothing.duplicates).toEqual([]);
    }
  });
});

describe('suggest', () => {
  it('takes one of each cluster that nobody labelled before any more of a labelled one', async () => {
    const memory = clusters([6, 6], 1, dim);
    const { head, temperature } = await fitted(memory);
    // Clusters 0 and 1 are labelled; 2, 3 and 4 are not.
    const clustersOfPool = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4];
    const pool = new Int8Array(clustersOfPool.length * dim);
    clustersOfPool.forEach((k, i) => pool.set(encodeCodes(clusterEmbedding(k, 500 + i, dim), 1, 1, dim), i * dim));
    const picks = await suggest(memory, head, temperature, pool, clustersOfPool.length, 3, { gemm });
    expect(picks.map(({ index }) => clustersOfPool[index]).sort()).toEqual([2, 3, 4]);
    const all = await suggest(memory, head, temperature, pool, clustersOfPool.length, 99, { gemm });
    expect(all.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...clustersOfPool.keys()]);
    expect(all.slice(0, 3)).toEqual(picks);
  });

  it('prefers the input between two classes to the sure one at the same distance', async () => {
    const codes = Int8Array.from([120, 0, 0, 0, 120, 0]);
    const memory = memoryOfCodes(codes, [0, 1], 1, 3);
    const { head } = await fitted(memory);
    const pool = Int8Array.from([85, 85, 0, 85, 0, 85]);
    const [first] = await suggest(memory, head, 0.1, pool, 2, 1, { gemm });
    expect(first.index).toBe(0);
    expect(first.uncertainty).toBe(1);
    expect(first.distance).toBeCloseTo(1 - Math.SQRT1_2, 9);
  });

  it('gives an empty list for an empty pool and names a pool of another size', async () => {
    const memory = clusters([2, 2], 1, dim);
    const { head, temperature } = await fitted(memory);
    expect(await suggest(memory, head, temperature, new Int8Array(0), 0, 5, { gemm })).toEqual([]);
    await expect(suggest(memory, head, temperature, new Int8Array(7), 1, 5, { gemm })).rejects.toThrow(
      /1 x 24 code entries/,
    );
  });
});
