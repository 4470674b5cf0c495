import { describe, expect, it } from 'vitest';
import { earlierTapsShare } from '../../../../packages/core/src/heads/choose.ts';
import { headNamed } from '../../../../packages/core/src/heads/head-named.ts';
import { balanceWeights, typicalShots } from '../../../../packages/core/src/heads/class-balance.ts';
import { nearestClassMean } from '../../../../packages/core/src/heads/nearest-class-mean.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from '../../../../packages/core/src/heads/leave-one-out.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import type { FittedHead } from '../../../../packages/core/src/head.ts';
import { clusterCodes, clusterMemory, withoutRow } from './example-sets.ts';

const context = { gemm: typedArrayGemm };

const scoresOf = (head: FittedHead, codes: Int8Array, count: number): Float64Array => {
  const out = new Float64Array(count * head.numClasses);
  head.scoresInto(codes, count, out);
  return out;
};

const winners = (scores: Float64Array, classes: number): number[] =>
  Array.from({ length: scores.length / classes }, (_, q) => {
    const row = scores.subarray(q * classes, (q + 1) * classes);
    return row.indexOf(Math.max(...row));
  });

describe('auto', () => {
  it('is the prototype on the first tap at one example a class', async () => {
    const memory = clusterMemory({ counts: [1, 1, 1, 1] });
    const auto = await headNamed('auto').fit(memory, context);
    const prototype = await nearestClassMean({ taps: 'last' }).fit(memory, context);
    const queries = clusterCodes({ counts: [5, 5], seed: 3 });
    expect(scoresOf(auto, queries, 10)).toEqual(scoresOf(prototype, queries, 10));
    expect(auto.report).toMatchObject({ head: 'auto', parameters: { chosen: 'nearest-class-mean' } });
  });

  it('answers from ten thousand classes of one example', async () => {
    const memory = clusterMemory({ counts: Array<number>(10_000).fill(1), taps: 1, dim: 16, spread: 0 });
    const auto = await headNamed('auto').fit(memory, context);
    const scores = scoresOf(auto, memory.codes.subarray(0, 16 * 4), 4);
    expect(winners(scores, 10_000)).toEqual([0, 1, 2, 3]);
    const rows = auto.leaveOneOutRows ?? [];
    expect(auto.leaveOneOut()).toHaveLength(rows.length * 10_000);
    expect(rows.length).toBeLessThan(2000);
  });

  it('stays the prototype while nearly every class has one example, and leaves the ridge out where classes are too many', async () => {
    const counts = Array<number>(60).fill(1);
    counts[7] = 2;
    const nearly = await headNamed('auto').fit(clusterMemory({ counts }), context);
    expect(nearly.report.parameters.chosen).toBe('nearest-class-mean');
    const many = clusterMemory({ counts: Array<number>(4100).fill(2), taps: 1, dim: 8, spread: 0.1 });
    const auto = await headNamed('auto').fit(many, { ...context, maxOrder: 8200 });
    expect(auto.report).toMatchObject({ head: 'auto', parameters: { chosen: 'discriminant' } });
    expect(auto.report.reason).toMatch(/4100 classes/);
  });

  it('moves its blend a little, not from one head to another, for one more example', async () => {
    const full = clusterMemory({ counts: [8, 9, 7, 8], spread: 2.5, seed: 5 });
    const queries = clusterCodes({ counts: [50, 50, 50, 50], spread: 2.5, seed: 5 });
    const whole = await headNamed('auto').fit(full, context);
    const before = winners(scoresOf(whole, queries, 200), 4);
    for (const row of [0, 9, 20, 31]) {
      const fewer = await headNamed('auto').fit(withoutRow(full, row), context);
      expect(fewer.report.parameters.chosen).toBe('blend');
      const [a, b] = [whole, fewer].map((head) => head.report.parameters);
      expect(Math.abs((a.ridgeShare as number) - (b.ridgeShare as number))).toBeLessThan(0.4);
      expect(Math.abs((a.earlierTaps as number) - (b.earlierTaps as number))).toBeLessThan(0.05);
      // One example of 32 less, on clusters that overlap: a tenth of the answers may change.
      const after = winners(scoresOf(fewer, queries, 200), 4);
      expect(after.filter((c, i) => c !== before[i]).length).toBeLessThan(20);
    }
  });

  it('does not let a class of two hundred drown a class of one', async () => {
    const memory = clusterMemory({ counts: [1, 200, 1], taps: 1, dim: 24, spread: 0.6, seed: 8 });
    const auto = await headNamed('auto').fit(memory, context);
    const queries = clusterCodes({ counts: [40, 40, 40], taps: 1, dim: 24, spread: 0.6, seed: 8 });
    const found = winners(scoresOf(auto, queries, 120), 3);
    for (const own of [0, 1, 2]) {
      expect(found.slice(own * 40, own * 40 + 40).filter((c) => c === own).length).toBeGreaterThan(30);
    }
  });

  it('tells two classes apart by degrees, not by sign alone', async () => {
    const memory = clusterMemory({ counts: [10, 10], spread: 1.5 });
    const auto = await headNamed('auto').fit(memory, context);
    const scores = scoresOf(auto, memory.codes, 20);
    const margins = Array.from({ length: 20 }, (_, i) => Math.abs(scores[2 * i] - scores[2 * i + 1]));
    expect(new Set(margins.map((m) => m.toFixed(6))).size).toBeGreaterThan(15);
  });

  it('answers alike on both sides of the step from the dual to random features', async () => {
    const memory = clusterMemory({ counts: [90, 90, 80], dim: 12, spread: 2 });
    const queries = clusterCodes({ counts: [50, 50, 50], dim: 12, spread: 2 });
    const [below, above] = await Promise.all(
      [260, 256].map((maxOrder) => headNamed('auto').fit(memory, { ...context, maxOrder })),
    );
    expect(below.report.parameters.lambda).not.toBe(above.report.parameters.lambda);
    const [a, b] = [below, above].map((head) => winners(scoresOf(head, queries, 150), 3));
    expect(a.filter((c, i) => c === b[i]).length).toBeGreaterThan(140);
  });

  it('says what it chose and why in one sentence', async () => {
    const { report } = await headNamed('auto').fit(clusterMemory({ counts: [5, 6], spread: 0.3 }), context);
    expect(report.reason).toMatch(/^Ridge \(leave-one-out .* %\) and discriminant \(.* %\) blended \d+ to \d+, .*\.$/);
    expect(report.leaveOneOutAccuracy).toBe(1);
  });
});

describe('what auto weighs by', () => {
  it('trusts earlier taps the more, the more examples there are', () => {
    expect(earlierTapsShare(7, 1)).toBe(0);
    expect(earlierTapsShare(7, 2.5)).toBe(0.5);
    expect(earlierTapsShare(7, 100)).toBeGreaterThan(0.98);
    expect(earlierTapsShare(1, 100)).toBe(0);
  });

  it('counts typical examples a class by the many small ones, not the few large', () => {
    expect(typicalShots(Int32Array.of(4, 4, 4))).toBeCloseTo(4, 12);
    expect(typicalShots(Int32Array.of(1, 200))).toBeLessThan(2);
  });

  it('weighs classes alike', () => {
    const weights = balanceWeights(Int32Array.of(0, 1, 1, 1), Int32Array.of(1, 3));
    expect(weights[0]).toBeCloseTo(2, 12);
    expect(weights[1] + weights[2] + weights[3]).toBeCloseTo(2, 12);
  });

  it('measures balanced accuracy over classes that have another example', () => {
    const scores = Float64Array.from([1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1]);
    const owners = Int32Array.of(0, 0, 1, 1, 2);
    const measured = leaveOneOutAccuracy(scores, Int32Array.of(0, 1, 2, 3, 4), owners, Int32Array.of(2, 2, 1));
    expect(measured).toMatchObject({ accuracy: 1, numExamples: 4 });
    expect(measured?.standardError).toBeGreaterThan(0);
    const single = leaveOneOutAccuracy(scores, Int32Array.of(4), owners, Int32Array.of(2, 2, 1));
    expect(single).toBeUndefined();
  });

  it('leaves out all examples, or of many classes one before any gives two', () => {
    const memoryOf = (numClasses: number, shots: number): Parameters<typeof leaveOneOutRows>[0] => ({
      numExamples: numClasses * shots,
      numClasses,
      width: 4,
      classIndices: Int32Array.from({ length: numClasses * shots }, (_, i) => Math.floor(i / shots)),
      codes: Int8Array.from({ length: numClasses * shots * 4 }, (_, at) => (Math.imul(at + 1, 0x9e3779b1) >> 24) | 0),
    });
    expect(Array.from(leaveOneOutRows(memoryOf(3, 2), {}))).toEqual([0, 1, 2, 3, 4, 5]);
    const many = memoryOf(10_000, 10);
    const rows = leaveOneOutRows(many, {});
    expect(rows).toHaveLength(256);
    expect(new Set(rows.map((i) => many.classIndices[i])).size).toBe(256);
    expect(leaveOneOutRows(many, { leaveOneOutEntries: 2 ** 22 })).toHaveLength(419);
    expect(leaveOneOutRows(many, { leaveOneOutEntries: 15_000 * 10_000 }).filter((i) => i % 10 === 0)).toHaveLength(
      10_000,
    );
    expect(leaveOneOutRows({ ...memoryOf(3, 1), numClasses: 2 ** 23 }, {})).toHaveLength(3);
  });

  it('looks at nearly the same examples with one class more', () => {
    const codes = clusterCodes({ counts: Array<number>(2001).fill(2), taps: 1, dim: 8 });
    const of = (numClasses: number): Int32Array => {
      const classIndices = Int32Array.from({ length: 2 * numClasses }, (_, i) => i >> 1);
      return leaveOneOutRows({ numExamples: 2 * numClasses, numClasses, width: 8, classIndices, codes }, {});
    };
    const before = new Set(of(2000));
    expect(of(2001).filter((i) => !before.has(i)).length).toBeLessThan(2);
  });
});
