/** Review and suggestions on clusters where the truth is known. */

import { beforeAll, describe, expect, it } from 'vitest';
import { Classifier } from '../../../../packages/core/src/classifier.ts';
import { nearestClassMean } from '../../../../packages/core/src/heads/nearest-class-mean.ts';
import type { FittedHead, Memory } from '../../../../packages/core/src/head.ts';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { encodeCodes } from '../../../../packages/core/src/memory/codes.ts';
import { readyEmbeddings, type ReadyEmbedding } from '../../../../packages/core/src/ready-embeddings.ts';
import { whitenedMemory } from '../../../../packages/core/src/scores/novelty/whitened-memory.ts';
import { review, type Review } from '../../../../packages/core/src/scores/review.ts';
import { suggest } from '../../../../packages/core/src/scores/suggest.ts';
import {
  calibratedProbabilitiesInto,
  fitCalibration,
  type Calibration,
} from '../../../../packages/core/src/scores/top-label-calibration.ts';
import { clusterEmbedding } from '../../../embeddings.ts';
import { clusters, codeOf, memoryOfCodes } from './memory-of-codes.ts';

const dim = 24;

/** The memory with other codes in the given rows. */
function replaced(memory: Memory, rows: ReadonlyMap<number, Int8Array>): Memory {
  const codes = memory.codes.slice();
  for (const [row, code] of rows) codes.set(code, row * memory.width);
  return memoryOfCodes(codes, memory.classIndices, memory.taps, memory.dim);
}

async function fitted(memory: Memory): Promise<{ head: FittedHead; calibration: Calibration }> {
  const head = await nearestClassMean().fit(memory, { gemm });
  const calibration = await fitCalibration(
    head.leaveOneOut(),
    memory.classIndices,
    memory.numExamples,
    memory.numClasses,
  );
  return { head, calibration };
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
    const { head, calibration } = await fitted(memory);
    found = await review(memory, head, calibration, await whitenedMemory.fit(memory, { gemm }), { gemm });
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
      const { head, calibration } = await fitted(quiet);
      const novelty = await whitenedMemory.fit(quiet, { gemm });
      const nothing = await review(quiet, head, calibration, novelty, { gemm });
      expect(nothing.suspectLabels).toEqual([]);
      expect(nothing.duplicates).toEqual([]);
    }
  });
});

describe('suggest', () => {
  it('takes one of each cluster that nobody labelled before any more of a labelled one', async () => {
    const memory = clusters([6, 6], 1, dim);
    const { head, calibration } = await fitted(memory);
    // Clusters 0 and 1 are labelled; 2, 3 and 4 are not.
    const clustersOfPool = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4];
    const pool = new Int8Array(clustersOfPool.length * dim);
    clustersOfPool.forEach((k, i) => pool.set(encodeCodes(clusterEmbedding(k, 500 + i, dim), 1, 1, dim), i * dim));
    const picks = await suggest(memory, head, calibration, pool, clustersOfPool.length, 3, { gemm });
    expect(picks.map(({ index }) => clustersOfPool[index]).sort()).toEqual([2, 3, 4]);
    const all = await suggest(memory, head, calibration, pool, clustersOfPool.length, 99, { gemm });
    expect(all.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...clustersOfPool.keys()]);
    expect(all.slice(0, 3)).toEqual(picks);
  });

  it('prefers the input between two classes to the sure one at the same distance', async () => {
    const codes = Int8Array.from([120, 0, 0, 0, 120, 0]);
    const memory = memoryOfCodes(codes, [0, 1], 1, 3);
    const { head } = await fitted(memory);
    const pool = Int8Array.from([85, 85, 0, 85, 0, 85]);
    const [first] = await suggest(memory, head, { temperature: 0.1, slope: 1, offset: 0 }, pool, 2, 1, { gemm });
    expect(first.index).toBe(0);
    expect(first.uncertainty).toBe(1);
    expect(first.distance).toBeCloseTo(1 - Math.SQRT1_2, 9);
  });

  it('gives an empty list for an empty pool and names a pool of another size', async () => {
    const memory = clusters([2, 2], 1, dim);
    const { head, calibration } = await fitted(memory);
    expect(await suggest(memory, head, calibration, new Int8Array(0), 0, 5, { gemm })).toEqual([]);
    await expect(suggest(memory, head, calibration, new Int8Array(7), 1, 5, { gemm })).rejects.toThrow(
      /1 x 24 code entries/,
    );
  });
});

describe('the classifier', () => {
  const input = (k: number, n: number): ReadyEmbedding => ({
    id: `${k}.${n}`,
    embedding: clusterEmbedding(k, n, dim, 3),
  });
  const classifier = new Classifier(readyEmbeddings({ name: 'test', dim }), { head: 'nearest-class-mean', gemm });
  const pool = Array.from({ length: 40 }, (_, i) => input(i % 8, 500 + i));
  const codes: number[] = [];
  const owners: number[] = [];
  beforeAll(async () => {
    for (let k = 0; k < 8; k++) {
      const inputs = Array.from({ length: 30 }, (_, n) => input(k, 10 + n));
      await classifier.addClass(`class ${k}`, inputs);
      for (const { embedding } of inputs) codes.push(...encodeCodes(embedding, 1, 1, dim));
      owners.push(...inputs.map(() => k));
    }
  });

  it('suggests by the probabilities that its predictions have', async () => {
    const suggested = await classifier.suggest(pool, { count: pool.length });
    expect(suggested).toHaveLength(pool.length);
    for (const { index, uncertainty } of suggested) {
      const [first, second] = (await classifier.classify(pool[index])).ranking;
      expect(uncertainty).toBe(1 - (first.probability - second.probability));
    }
  });

  it('reviews by leave-one-out scores under the calibration of its predictions', async () => {
    const memory = memoryOfCodes(Int8Array.from(codes), owners, 1, dim);
    const { head, calibration } = await fitted(memory);
    // Slope and offset matter here.
    expect(Math.abs(calibration.slope - 1)).toBeGreaterThan(0.01);
    const probabilities = new Float64Array(240 * 8);
    calibratedProbabilitiesInto(head.leaveOneOut(), 240, 8, calibration, probabilities);
    const { suspectLabels } = await classifier.review();
    expect(suspectLabels.length).toBeGreaterThan(3);
    for (const { id, label, suggested, margin } of suspectLabels) {
      const row = 30 * Number(label.at(-1)) + Number(id.split('.')[1]) - 10;
      const [p, own] = [suggested, label].map((name) => probabilities[row * 8 + Number(name.at(-1))]);
      expect(margin).toBe(p - own);
    }
  });
});
