import { describe, expect, it } from 'vitest';
import {
  BENCH_HEADS,
  benchHeads,
  type BenchOptions,
  type FewShotSplit,
  type LabelledFeatures,
} from '../../../../packages/core/src/evaluation/bench-heads.ts';
import { noise } from '../heads/example-sets.ts';

/** Three classes on three axes of every tap, a little noise. */
function features(taps: number): LabelledFeatures {
  const next = noise(4);
  const labels = Array.from({ length: 90 }, (_, i) => [10, 20, 30][i % 3]);
  const data = Float32Array.from({ length: 90 * taps * 4 }, (_, at) => {
    const row = Math.floor(at / (taps * 4));
    return (at % 4 === row % 3 ? 3 : 0) + 0.2 * next();
  });
  return { shape: taps === 1 ? [90, 4] : [90, taps, 4], labels, data };
}

const split: FewShotSplit = {
  shots: 4,
  seed: 0,
  train: Array.from({ length: 12 }, (_, i) => i),
  test: Array.from({ length: 30 }, (_, i) => 60 + i),
};

async function run(
  set: LabelledFeatures,
  splits: FewShotSplit[],
  options?: BenchOptions,
): Promise<Record<string, number>[]> {
  const heads: Record<string, number>[] = [];
  for await (const result of benchHeads(set, splits, options)) heads.push(result.heads);
  return heads;
}

describe('benchHeads', () => {
  it('runs every head that the split and the features carry', async () => {
    const [deep] = await run(features(2), [split]);
    expect(Object.keys(deep)).toEqual(expect.arrayContaining(['auto', 'ncm', 'ranpac10k', 'deep-ncm', 'deep-krr-inf']));
    for (const accuracy of Object.values(deep)) expect(accuracy).toBe(1);
    const [flat] = await run(features(1), [split], { heads: BENCH_HEADS });
    expect(Object.keys(flat).filter((name) => name.startsWith('deep-'))).toEqual([]);
    expect(flat).not.toHaveProperty('fecam');
    const large = { ...split, train: Array.from({ length: 60 }, (_, i) => i) };
    expect((await run(features(1), [large], { heads: ['fecam'] }))[0]).toEqual({ fecam: 1 });
  });

  it('counts a class that was never shown as wrong', async () => {
    const partial = { ...split, train: [0, 1, 3, 4] };
    const [{ ncm }] = await run(features(1), [partial], { heads: ['ncm'] });
    expect(ncm).toBeCloseTo(2 / 3, 12);
  });

  it('yields split by split, in order, the same each time', async () => {
    const splits = [split, { ...split, seed: 1, test: [60] }];
    const first = await run(features(2), splits, { heads: ['auto', 'knn5'] });
    expect(first).toHaveLength(2);
    expect(await run(features(2), splits, { heads: ['auto', 'knn5'] })).toEqual(first);
  });

  it('says what does not fit', async () => {
    const set = features(1);
    await expect(run({ ...set, shape: [90, 5] }, [split])).rejects.toThrowError(/90 x 5 = 450 values/);
    await expect(run({ ...set, shape: [90] }, [split])).rejects.toThrowError(/\[n, taps, dim\]/);
    await expect(run({ ...set, labels: [1] }, [split])).rejects.toThrowError(/90 labels/);
    await expect(run(set, [{ ...split, test: [90] }])).rejects.toThrowError(/splits\[0\]\.test, got 90/);
    await expect(run(set, [{ ...split, train: [] }])).rejects.toThrowError(/at least one row/);
    await expect(run(set, [split], { heads: ['resnet'] })).rejects.toThrowError(/names out of auto, /);
  });
});
