/** Every novelty score against the contract: exact leave-one-out, finite answers, far is stranger than near. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auroc } from '../../../../packages/core/src/evaluation/unknown-detection.ts';
import type { Memory } from '../../../../packages/core/src/head.ts';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { noveltyScores } from '../../../../packages/core/src/scores/novelty-scores.ts';
import type { NoveltyScore } from '../../../../packages/core/src/scores/novelty.ts';
import { clusters, codeOf, memoryOfCodes, withoutRow } from './memory-of-codes.ts';

async function strangenessOf(score: NoveltyScore, memory: Memory, queries: Int8Array): Promise<Float64Array> {
  const out = new Float64Array(queries.length / memory.width);
  (await score.fit(memory, { gemm })).strangenessInto(queries, out.length, out);
  return out;
}

const shapes: [name: string, memory: Memory][] = [
  ['several classes', clusters([4, 3, 5, 2], 1, 12)],
  ['two taps', clusters([3, 4, 2], 2, 9)],
  ['a class of one example', clusters([1, 4, 3, 1], 1, 10)],
  ['one class', clusters([6], 1, 8)],
  ['one example a class', clusters([1, 1, 1, 1, 1], 1, 8)],
  ['two classes of two', clusters([2, 2], 1, 7)],
  ['two examples in all', clusters([1, 1], 1, 5)],
];

describe.each(noveltyScores.map((score) => [score.name, score] as const))('%s', (_name, score) => {
  it.each(shapes)('leaves one out exactly: %s', async (_shape, memory) => {
    const fitted = await score.fit(memory, { gemm });
    const leftOut = fitted.leaveOneOut();
    expect(leftOut.length).toBe(memory.numExamples);
    for (let i = 0; i < memory.numExamples; i++) {
      const [refitted] = await strangenessOf(score, withoutRow(memory, i), codeOf(memory, i));
      // Rank-one updates and refits round differently; both are of order 1 to 1,000.
      expect(Math.abs(leftOut[i] - refitted)).toBeLessThan(1e-9 * Math.max(1, Math.abs(refitted)));
    }
    const many = await fitted.leaveOneOutMany?.(Int32Array.from(leftOut.keys()), { gemm });
    many?.forEach((value, i) => expect(value).toBeCloseTo(leftOut[i], 10));
  });

  it('leaves out the rows asked for, and nothing changes by it', async () => {
    const memory = clusters([4, 3, 1], 1, 12);
    const fitted = await score.fit(memory, { gemm });
    const queries = clusters([3, 3], 1, 12, 2).codes;
    const before = new Float64Array(6);
    fitted.strangenessInto(queries, 6, before);
    const all = fitted.leaveOneOut();
    expect(fitted.leaveOneOut(Int32Array.of(5, 0, 7))).toEqual(Float64Array.of(all[5], all[0], all[7]));
    const after = new Float64Array(6);
    fitted.strangenessInto(queries, 6, after);
    expect(after).toEqual(before);
  });

  it('scores a query alike alone and in a batch', async () => {
    const memory = clusters([3, 3, 4], 2, 6);
    const queries = clusters([5], 2, 6, 3);
    const batch = await strangenessOf(score, memory, queries.codes);
    for (let i = 0; i < 5; i++) expect((await strangenessOf(score, memory, codeOf(queries, i)))[0]).toBe(batch[i]);
  });

  it('is finite for one example in all, identical examples, and one example in each of 300 classes', async () => {
    const identical = memoryOfCodes(
      Int8Array.from({ length: 40 }, (_, i) => (i % 8) * 9 - 30),
      [0, 0, 1, 1, 2],
      1,
      8,
    );
    for (const memory of [clusters([1], 1, 8), identical, clusters(new Array(300).fill(1), 1, 8)]) {
      const fitted = await score.fit(memory, { gemm });
      const queries = Int8Array.from([...codeOf(memory, 0), ...new Array(8).fill(0), ...new Array(8).fill(-127)]);
      const out = new Float64Array(3);
      fitted.strangenessInto(queries, 3, out);
      expect([...out, ...fitted.leaveOneOut()].every(Number.isFinite)).toBe(true);
    }
  });
});

// Relative Mahalanobis compares a class with all examples, and one class is all examples.
const others = noveltyScores.filter(({ name }) => name !== 'relative-mahalanobis++');

it.each(others.map((score) => [score.name, score] as const))(
  '%s finds strangers, also with one class',
  async (_name, score) => {
    for (const counts of [[8, 8, 8, 8], [8]]) {
      const memory = clusters(counts, 1, 24);
      const fresh = clusters(
        counts.map(() => 40),
        1,
        24,
      );
      const strangers = clusters([0, 0, 0, 0, 30, 30, 30], 1, 24);
      const known = await strangenessOf(score, memory, fresh.codes);
      const unknown = await strangenessOf(score, memory, strangers.codes);
      expect(auroc(known, unknown)).toBeGreaterThan(0.95);
    }
  },
);

describe('the default score', () => {
  it('does not depend on the order of examples within a class', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), async (seed) => {
        const counts = [1 + (seed % 4), 2 + (seed % 3), 1 + (seed % 5)];
        const memory = clusters(counts, 1, 6);
        const reversed = [...counts.keys()].flatMap((k) => {
          const rows = [...memory.classIndices.keys()].filter((i) => memory.classIndices[i] === k);
          return rows.reverse();
        });
        const codes = new Int8Array(memory.codes.length);
        reversed.forEach((row, at) => codes.set(codeOf(memory, row), at * memory.width));
        const other = memoryOfCodes(codes, memory.classIndices, 1, 6);
        const queries = clusters([4], 1, 6, 5).codes;
        expect(await strangenessOf(noveltyScores[0], other, queries)).toEqual(
          await strangenessOf(noveltyScores[0], memory, queries),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('stands 10,000 classes of one example', async () => {
    const memory = clusters(new Array(10_000).fill(1), 1, 16);
    const fitted = await noveltyScores[0].fit(memory, { gemm });
    const leftOut = fitted.leaveOneOut(Int32Array.of(0, 5_000, 9_999));
    expect([...leftOut].every((s) => Number.isFinite(s) && s >= 0 && s <= 4)).toBe(true);
  });
});
