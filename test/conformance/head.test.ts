import { describe, expect, it } from 'vitest';
import type { FittedHead, Head } from '../../packages/core/src/head.ts';
import { discriminant } from '../../packages/core/src/heads/discriminant.ts';
import { headNamed } from '../../packages/core/src/heads/head-named.ts';
import { HEAD_NAMES } from '../../packages/core/src/heads/head-names.ts';
import { kernelRidge } from '../../packages/core/src/heads/kernel-ridge.ts';
import { nearestClassMean } from '../../packages/core/src/heads/nearest-class-mean.ts';
import { projectedRidge } from '../../packages/core/src/heads/projected-ridge.ts';
import { typedArrayGemm } from '../../packages/core/src/linalg/typed-array-gemm.ts';
import { encodeCodes } from '../../packages/core/src/memory/codes.ts';
import { ExampleMemory } from '../../packages/core/src/memory/example-memory.ts';
import { memoryFromCodes } from '../../packages/core/src/memory/from-codes.ts';
import type { Memory } from '../../packages/core/src/memory/memory.ts';
import { clusterCodes, clusterMemory, noise } from '../unit/core/heads/example-sets.ts';

const context = { gemm: typedArrayGemm };

const heads: Head[] = [
  ...HEAD_NAMES.map(headNamed),
  discriminant({ shrinkage: 0.5, taps: 'last' }),
  kernelRidge({ lambda: 0.1, taps: 0.4 }),
  nearestClassMean({ taps: 'last' }),
  projectedRidge({ numFeatures: 32, taps: 'last' }),
  { ...headNamed('auto'), fit: (memory, context) => headNamed('auto').fit(memory, { ...context, maxOrder: 32 }) },
];

/** What every head must answer from; the class counts are far from even. */
const memory = clusterMemory({ counts: [20, 27, 40], taps: 2, dim: 8 });
const queries = clusterCodes({ counts: [4, 4, 5], taps: 2, dim: 8, seed: 9 });

function scoresOf(head: FittedHead, codes: Int8Array, count: number): Float64Array {
  const out = new Float64Array(count * head.numClasses).fill(NaN);
  head.scoresInto(codes, count, out);
  return out;
}

/** One example, one class, one shot, all alike, alike across classes, codes of zero, many classes, opposite pairs. */
const degenerate: Record<string, Memory> = {
  'one example': clusterMemory({ counts: [1] }),
  'one class': clusterMemory({ counts: [25] }),
  'two examples of two classes': clusterMemory({ counts: [1, 1] }),
  'two examples of one class': clusterMemory({ counts: [2] }),
  'one example beside many': clusterMemory({ counts: [1, 40] }),
  'forty classes of one example': clusterMemory({ counts: Array<number>(40).fill(1) }),
  'examples of a class all alike': clusterMemory({ counts: [22, 23], spread: 0 }),
  'all examples alike': memoryFromCodes(
    new Int8Array(60 * 12).fill(50),
    Array.from({ length: 60 }, (_, i) => i % 3),
    2,
    6,
  ),
  'codes of zero': memoryFromCodes(
    new Int8Array(60 * 12),
    Array.from({ length: 60 }, (_, i) => i % 3),
    2,
    6,
  ),
  'a width of one': memoryFromCodes(
    Int8Array.from({ length: 44 }, (_, i) => (i < 22 ? 21 : -21)),
    Array.from({ length: 44 }, (_, i) => Number(i >= 22)),
    1,
    1,
  ),
};

describe.each(heads.map((head, index): [string, Head] => [`${head.name} (${index})`, head]))('%s', (_name, head) => {
  it('puts examples of well-separated classes where they belong', async () => {
    const separate = clusterMemory({ counts: [20, 20, 20], taps: 2, dim: 8, spread: 0.05 });
    const fitted = await head.fit(separate, context);
    const scores = scoresOf(fitted, separate.codes, 60);
    const right = Array.from({ length: 60 }, (_, i) => {
      const row = scores.subarray(i * 3, i * 3 + 3);
      return row.indexOf(Math.max(...row)) === separate.classIndices[i];
    });
    expect(right).not.toContain(false);
  });

  it('does not depend on the order in which examples came', async () => {
    const next = noise(5);
    const examples = Array.from({ length: 66 }, (_, i) => ({
      label: `class ${i % 3}`,
      example: {
        id: `example-${i}`,
        source: undefined,
        codes: encodeCodes(
          Float32Array.from({ length: 8 }, () => next() + (i % 3)),
          1,
          2,
          4,
        ),
      },
    }));
    const fits = await Promise.all(
      [examples, examples.toReversed(), examples.toSorted((a, b) => (a.label < b.label ? 1 : -1))].map((order) => {
        const filled = new ExampleMemory(2, 4);
        for (const { label, example } of order) filled.add(label, [example]);
        return head.fit(filled.view(), context);
      }),
    );
    const codes = encodeCodes(Float32Array.from({ length: 40 }, next), 5, 2, 4);
    for (const other of fits.slice(1)) {
      expect(scoresOf(other, codes, 5)).toEqual(scoresOf(fits[0], codes, 5));
      expect(other.leaveOneOut()).toEqual(fits[0].leaveOneOut());
      expect(other.report).toEqual(fits[0].report);
    }
  });

  it('scores purely: same bits again, alone or in a batch, and nothing is written but the output', async () => {
    const before = { codes: memory.codes.slice(), sums: memory.sums.slice(), queries: queries.slice() };
    const fitted = await head.fit(memory, context);
    const batch = scoresOf(fitted, queries, 13);
    expect(scoresOf(fitted, queries, 13)).toEqual(batch);
    for (let q = 0; q < 13; q++) {
      const alone = scoresOf(fitted, queries.subarray(q * 16, (q + 1) * 16), 1);
      expect(alone).toEqual(batch.slice(q * 3, q * 3 + 3));
    }
    if (fitted.scores) expect(await fitted.scores(queries, 13)).toEqual(batch);
    expect({ codes: memory.codes, sums: memory.sums, queries }).toEqual(before);
  });

  it('writes exactly the scores it was asked for', async () => {
    const fitted = await head.fit(memory, context);
    const out = new Float64Array(30).fill(7);
    fitted.scoresInto(queries, 2, out);
    expect(out.subarray(6).every((x) => x === 7)).toBe(true);
    fitted.scoresInto(queries, 0, out.fill(7));
    expect(out.every((x) => x === 7)).toBe(true);
  });

  it('gives finite leave-one-out scores that differ from those with the example in', async () => {
    const fitted = await head.fit(memory, context);
    const leftOut = fitted.leaveOneOut();
    const rows = fitted.leaveOneOutRows ?? Int32Array.from(memory.classIndices.keys());
    expect(leftOut).toHaveLength(rows.length * 3);
    expect(leftOut.every(Number.isFinite)).toBe(true);
    const inside = scoresOf(fitted, memory.codes, memory.numExamples);
    let drop = 0;
    for (const [r, i] of rows.entries()) {
      const own = memory.classIndices[i];
      const margin = (scores: Float64Array, at: number): number =>
        scores[at + own] - Math.max(...[0, 1, 2].filter((c) => c !== own).map((c) => scores[at + c]));
      drop += margin(inside, i * 3) - margin(leftOut, r * 3);
    }
    // An example pulls its own class toward itself: without it, its margin falls on the mean.
    expect(drop).toBeGreaterThan(0);
  });

  it.each(Object.entries(degenerate))('stays finite, or says that it cannot: %s', async (_case, few) => {
    let fitted: FittedHead;
    try {
      fitted = await head.fit(few, context);
    } catch (error) {
      expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(/^Expected .* got /) });
      expect(head.name).toBe('class-covariance');
      return;
    }
    const rows = fitted.leaveOneOutRows ?? Int32Array.from(few.classIndices.keys());
    expect(scoresOf(fitted, few.codes, few.numExamples).every(Number.isFinite)).toBe(true);
    expect(fitted.leaveOneOut()).toHaveLength(rows.length * few.numClasses);
    expect(fitted.leaveOneOut().every(Number.isFinite)).toBe(true);
    expect(fitted.report.reason).toMatch(/^[A-Z].*\.$/);
    for (const value of Object.values(fitted.report.parameters)) expect(value).not.toBeNaN();
  });

  it('stops when it is told to', async () => {
    const reason = new Error('enough');
    const signal = {
      aborted: true,
      reason,
      throwIfAborted(): void {
        throw reason;
      },
    };
    const large = clusterMemory({ counts: [20, 20, 20], taps: 2, dim: 8 });
    await expect(head.fit(large, { ...context, signal })).rejects.toBe(reason);
  });
});
