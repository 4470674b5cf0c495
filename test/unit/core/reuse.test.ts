import { describe, expect, it } from 'vitest';
import { Classifier, readyEmbeddings, type Gemm, type ReadyEmbedding } from '../../../packages/core/src/index.ts';
import { createTypedArrayGemm } from '../../../packages/core/src/linalg/typed-array-gemm.ts';

const backbone = readyEmbeddings({ name: 'test', dim: 12, taps: ['last', 'earlier'] });

/** Picture `at` of cluster `cluster`. */
function picture(cluster: number, at: number): ReadyEmbedding {
  const value = (j: number): number => Math.sin(cluster * 7 + j) + 0.7 * Math.sin(at * 13.7 + j * (cluster + 3));
  return { embedding: Float32Array.from({ length: 24 }, (_, j) => value(j)) };
}

const pictures = (cluster: number, count = 6): ReadyEmbedding[] =>
  Array.from({ length: count }, (_, at) => picture(cluster, at));

/** Multiplies, and says how often it was asked to. */
function counted(): { readonly gemm: Gemm; readonly calls: () => number } {
  const inner = createTypedArrayGemm();
  let calls = 0;
  return {
    calls: () => calls,
    gemm: {
      name: 'counted',
      f32: (a, b, shape) => (calls++, inner.f32(a, b, shape)),
      f64: (a, b, shape) => (calls++, inner.f64(a, b, shape)),
    },
  };
}

async function learned(options: { gemm?: Gemm; yieldToHost?: () => Promise<void> } = {}) {
  const classifier = new Classifier<ReadyEmbedding>(backbone, options);
  for (const [k, label] of ['ant', 'bee', 'cow', 'dog'].entries()) await classifier.addClass(label, pictures(k));
  return classifier;
}

const turn = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 0));

describe('the next answer after a change', () => {
  it('is that of a classifier restored from the same content, after every verb', async () => {
    const classifier = await learned();
    const other = new Classifier<ReadyEmbedding>(backbone);
    await other.addClass('eel', pictures(9, 4));
    const changes: (() => unknown)[] = [
      () => classifier.addClass('fox', pictures(5, 3)),
      () => classifier.addExamples('ant', [picture(0, 20)]),
      () => classifier.renameClass('ant', 'zebra'),
      () => classifier.mergeClasses('bee', 'cow'),
      () => classifier.removeExamples('zebra', [classifier.examples('zebra')[1].id]),
      () => classifier.merge(other),
      () => classifier.forgetExamples('eel', [picture(9, 2)]),
      () => classifier.removeClass('dog'),
    ];
    for (const change of changes) {
      await classifier.classify(picture(2, 40));
      await change();
      const restored = Classifier.restore<ReadyEmbedding>(classifier.snapshot(), backbone);
      for (const cluster of [0, 2, 5, 9]) {
        expect(await classifier.classify(picture(cluster, 31))).toEqual(await restored.classify(picture(cluster, 31)));
      }
      expect(await classifier.report()).toEqual(await restored.report());
    }
  });

  it('costs no solve where only a name changed, or where a change was taken back', async () => {
    const { gemm, calls } = counted();
    const classifier = await learned({ gemm });
    const before = await classifier.classify(picture(1, 31));
    const solved = calls();
    const again = await classifier.classify(picture(1, 31));
    const ofAQuery = calls() - solved;
    expect(again).toEqual(before);

    classifier.renameClass('bee', 'Zebra finch');
    const start = calls();
    const renamed = await classifier.classify(picture(1, 31));
    expect(calls() - start).toBe(ofAQuery);
    expect(JSON.stringify(renamed)).toBe(JSON.stringify(before).replaceAll('"bee"', '"Zebra finch"'));

    await classifier.addClass('fox', pictures(5, 3));
    classifier.removeClass('fox');
    const taken = calls();
    expect(await classifier.classify(picture(1, 31))).toEqual(renamed);
    expect(calls() - taken).toBe(ofAQuery);
  });

  it('ends its caller’s wait with the abort, and serves the others', async () => {
    const classifier = await learned({ yieldToHost: turn });
    const leaving = new AbortController();
    const [left, stayed] = [classifier.report({ signal: leaving.signal }), classifier.report()];
    leaving.abort(new Error('changed my mind'));
    await expect(left).rejects.toThrow('changed my mind');
    await expect(stayed).resolves.toMatchObject({ head: 'auto' });
  });

  it('stops being computed when nobody waits any more, and is right the next time', async () => {
    const { gemm, calls } = counted();
    const whole = await learned({ gemm });
    const expected = await whole.classify(picture(1, 31));
    const needed = calls();

    for (const turns of [1, 2, 5]) {
      const few = counted();
      const controller = new AbortController();
      let left = turns;
      const classifier = await learned({
        gemm: few.gemm,
        yieldToHost: async () => {
          await turn();
          if (--left === 0) controller.abort(new Error('enough'));
        },
      });
      await expect(classifier.classify(picture(1, 31), { signal: controller.signal })).rejects.toThrow('enough');
      await turn();
      const stoppedAt = few.calls();
      expect(stoppedAt).toBeLessThan(needed);
      for (let wait = 0; wait < 5; wait++) await turn();
      expect(few.calls()).toBe(stoppedAt);
      expect(await classifier.classify(picture(1, 31))).toEqual(expected);
    }
  });
});
