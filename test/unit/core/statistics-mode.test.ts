import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Classifier, readyEmbeddings, type ReadyEmbedding } from '../../../packages/core/src/index.ts';
import { ClassStatistics, MOST_EXAMPLES } from '../../../packages/core/src/memory/class-statistics.ts';
import { clusterEmbedding } from '../../embeddings.ts';

const DIM = 16;
const backbone = readyEmbeddings({ name: 'test', dim: DIM, taps: ['last', 'middle'] });
const LABELS = ['cat', 'dog', 'owl'];

function pictures(cluster: number, from: number, to: number): ReadyEmbedding[] {
  return Array.from({ length: to - from }, (_, i) => ({
    embedding: clusterEmbedding(cluster, from + i, DIM * 2),
    id: `k${cluster}-${from + i}`,
  }));
}

async function learned(counts: readonly number[], head?: string): Promise<Classifier<ReadyEmbedding>> {
  const classifier = new Classifier(backbone, { memory: 'statistics', ...(head !== undefined && { head }) });
  for (const [cluster, count] of counts.entries()) {
    await classifier.addClass(LABELS[cluster], pictures(cluster, 0, count));
  }
  return classifier;
}

describe('a classifier that keeps sums only', () => {
  it('is the same bytes in whatever order and parts its content came, through merges, and after adding and forgetting', async () => {
    const reference = (await learned([5, 5, 5])).snapshot();
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...Array(15).keys()], { minLength: 15 }),
        fc.nat(15),
        async (order, split) => {
          const learn = async (items: readonly number[]) => {
            const classifier = new Classifier(backbone, { memory: 'statistics' });
            await classifier.addClass('passing', pictures(9, 0, 3));
            for (const item of items) {
              const label = LABELS[Math.floor(item / 5)];
              const example = pictures(Math.floor(item / 5), item % 5, (item % 5) + 1);
              if (classifier.classes.some((entry) => entry.label === label))
                await classifier.addExamples(label, example);
              else await classifier.addClass(label, example);
            }
            await classifier.forgetExamples('passing', pictures(9, 0, 3).reverse());
            return classifier;
          };
          const left = await learn(order.slice(0, split));
          left.merge(await learn(order.slice(split)));
          expect(left.snapshot()).toEqual(reference);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not grow with examples, and adds more of them than one exact product takes', async () => {
    const few = await learned([3, 3, 3]);
    const many = await learned([3, 3, 1100]);
    expect(many.numExamples).toBe(1106);
    expect(Math.abs(many.snapshot().length - few.snapshot().length)).toBeLessThan(16);
    const again = new Classifier(backbone, { memory: 'statistics' });
    await again.addClass('owl', pictures(2, 1000, 1100));
    await again.addExamples('owl', pictures(2, 0, 1000));
    await again.addClass('dog', pictures(1, 0, 3));
    await again.addClass('cat', pictures(0, 0, 3));
    expect(again.snapshot()).toEqual(many.snapshot());
  });

  it.each(['auto', 'discriminant', 'nearest-class-mean'])(
    'answers with the head %s as examples mode does',
    async (head) => {
      const sums = await learned([20, 20, 20], head);
      const examples = new Classifier(backbone, { head: head === 'auto' ? 'discriminant' : head });
      for (const [cluster, label] of LABELS.entries()) await examples.addClass(label, pictures(cluster, 0, 20));
      for (let i = 100; i < 120; i++) {
        const [input] = pictures(i % 3, i, i + 1);
        const [a, b] = [await sums.classify(input), await examples.classify(input)];
        expect(a.ranking.map(({ label }) => label)).toEqual(b.ranking.map(({ label }) => label));
        expect(a.nearest).toEqual([]);
        expect(a.confidence).toBeGreaterThan(1 / 3);
      }
    },
  );

  it('answers with the same bits whether it has answered before or not', async () => {
    const asked = await learned([4, 4, 4]);
    const query = pictures(1, 50, 51)[0];
    const before = await asked.classify(query);
    await asked.addExamples('dog', pictures(1, 4, 9));
    const fresh = await learned([4, 9, 4]);
    const answer = await asked.classify(query);
    expect(answer).toEqual(await fresh.classify(query));
    expect(answer.confidence).not.toBe(before.confidence);
  });

  it('tells strangers, and takes new pictures of what it learned for known', async () => {
    const classifier = await learned([20, 20, 20]);
    let known = 0;
    for (let i = 100; i < 200; i++) if ((await classifier.classify(pictures(i % 3, i, i + 1)[0])).known) known++;
    expect(known).toBeGreaterThanOrEqual(95);
    for (let stranger = 30; stranger < 50; stranger++) {
      expect((await classifier.classify(pictures(stranger, 0, 1)[0])).label).toBeNull();
    }
  });

  it('answers the same whatever its classes are called', async () => {
    const classifier = await learned([3, 9, 5]);
    const ask = async () =>
      Promise.all([0, 1, 2].map(async (k) => (await classifier.classify(pictures(k, 60, 61)[0])).ranking));
    const before = await ask();
    classifier.renameClass('cat', 'zebra');
    for (const [k, ranking] of (await ask()).entries()) {
      for (const [r, { label, probability }] of ranking.entries()) {
        expect(label === 'zebra' ? 'cat' : label).toBe(before[k][r].label);
        expect(probability).toBeCloseTo(before[k][r].probability, 12);
      }
    }
  });

  it('tells strangers also beside a class whose examples have no direction in common', async () => {
    const classifier = await learned([20, 20, 20]);
    const strangers = Array.from({ length: 20 }, (_, i) => pictures(30 + i, 0, 1)[0]);
    const { embedding } = pictures(20, 0, 1)[0];
    await classifier.addClass('opposites', [{ embedding }, { embedding: embedding.map((value) => -value) }]);
    let refused = 0;
    for (const stranger of strangers) {
      const { strangeness, novelty, known } = await classifier.classify(stranger);
      expect([strangeness, novelty].every(Number.isFinite)).toBe(true);
      if (!known) refused++;
    }
    expect(refused).toBeGreaterThanOrEqual(19);
    const inputs = pictures(0, 60, 70).map((input) => ({ label: 'cat', input }));
    expect((await classifier.evaluate(inputs, { unknown: strangers })).unknown!.auroc).toBeGreaterThan(0.95);
    // Where there is no other class it is all that is known.
    const alone = new Classifier(backbone, { memory: 'statistics' });
    await alone.addClass('opposites', [{ embedding }, { embedding: embedding.map((value) => -value) }]);
    expect(await alone.classify({ embedding })).toMatchObject({ label: 'opposites', known: true });
  });

  it('survives a save and a restore, rename and join of classes', async () => {
    const classifier = await learned([4, 5, 6]);
    classifier.renameClass('owl', 'bird');
    classifier.mergeClasses('dog', 'cat');
    const restored = Classifier.restore<ReadyEmbedding>(classifier.snapshot(), backbone);
    expect(restored.memory).toBe('statistics');
    expect(restored.classes).toEqual([
      { label: 'bird', count: 6 },
      { label: 'cat', count: 9 },
    ]);
    const [input] = pictures(2, 50, 51);
    expect(await restored.classify(input)).toEqual(await classifier.classify(input));
  });

  it('works with one example a class, with one class, and with equal examples', async () => {
    for (const counts of [[1], [1, 1, 1], [5], [1, 5]]) {
      const { confidence, novelty, strangeness, ranking } = await (
        await learned(counts)
      ).classify(pictures(0, 0, 1)[0]);
      expect(ranking[0].label).toBe('cat');
      expect([confidence, novelty, strangeness].every(Number.isFinite)).toBe(true);
    }
    const same = new Classifier(backbone, { memory: 'statistics' });
    const [one] = pictures(0, 0, 1);
    await same.addClass('cat', [one, { ...one, id: 'b' }, { ...one, id: 'c' }]);
    await same.addClass('dog', [pictures(1, 0, 1)[0], pictures(1, 0, 1)[0]]);
    expect(await same.classify(one)).toMatchObject({ label: 'cat', known: true });
  });

  it('refuses what needs single examples, with what to do instead, and examples that were never in', async () => {
    const classifier = await learned([3, 3, 3]);
    const before = classifier.snapshot();
    const unsupported = expect.objectContaining({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('forgetExamples'),
    });
    expect(() => classifier.removeClass('cat')).toThrow(unsupported);
    expect(() => classifier.removeExamples('cat', ['k0-0'])).toThrow(unsupported);
    await expect(classifier.review()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(classifier.forgetExamples('cat', pictures(0, 0, 4))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(classifier.forgetExamples('cat', pictures(1, 0, 3))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(() => new Classifier(backbone, { memory: 'statistics', head: 'kernel-ridge' })).toThrow(
      'with memory "statistics"',
    );
    expect(() => classifier.merge(new Classifier(backbone))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(classifier.snapshot()).toEqual(before);
  });
});

describe('forgetting in statistics mode', () => {
  it('refuses what was never in where nothing could be solved without it, and takes out what was, to the last example', async () => {
    const classifier = await learned([8, 8]);
    const before = classifier.snapshot();
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    // Another class's, the same one twice, and one that nobody has seen.
    await expect(classifier.forgetExamples('cat', pictures(1, 0, 1))).rejects.toEqual(refused);
    await expect(classifier.forgetExamples('cat', [...pictures(0, 3, 4), ...pictures(0, 3, 4)])).rejects.toEqual(
      refused,
    );
    await expect(classifier.forgetExamples('dog', pictures(7, 0, 1))).rejects.toEqual(refused);
    expect(classifier.snapshot()).toEqual(before);
    for (const [cluster, label] of ['cat', 'dog'].entries()) {
      for (let i = 7; i >= 0; i--) {
        await classifier.forgetExamples(label, pictures(cluster, i, i + 1));
        if (classifier.numExamples > 0)
          expect((await classifier.classify(pictures(1, 50, 51)[0])).ranking).not.toEqual([]);
      }
    }
    expect(classifier.snapshot()).toEqual(new Classifier(backbone, { memory: 'statistics' }).snapshot());
  });

  it('takes the same example out once, however many ask at once', async () => {
    const classifier = await learned([6, 6]);
    const [example] = pictures(0, 2, 3);
    const asked = await Promise.allSettled([1, 2, 3].map(() => classifier.forgetExamples('cat', [example])));
    expect(asked.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(classifier.classes[0]).toEqual({ label: 'cat', count: 5 });
    expect((await classifier.classify(example)).label).toBe('cat');
  });

  it('refuses more examples than can be counted, in every way in, and keeps what it has', () => {
    const sums = { count: MOST_EXAMPLES - 2, sums: new Float64Array(4), gram: new Float64Array(16) };
    const [many, few] = [new ClassStatistics(1, 4), new ClassStatistics(1, 4)];
    many.add('cat', sums);
    few.add('dog', { ...sums, count: 3 });
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    expect(() => many.add('owl', { ...sums, count: 3 })).toThrow(refused);
    expect(() => many.merge(few)).toThrow(refused);
    expect(() => few.merge(many)).toThrow(refused);
    expect([many.numExamples, few.numExamples, many.has('owl')]).toEqual([MOST_EXAMPLES - 2, 3, false]);
    expect(() => new ClassStatistics(7, 4096)).toThrow(refused);
  });
});

it('hears an abort while a source that is ready at once goes on and on', async () => {
  const yieldToHost = () => new Promise<void>((resolve) => setImmediate(resolve));
  for (const memory of ['examples', 'statistics'] as const) {
    const classifier = new Classifier(backbone, { memory, yieldToHost });
    await classifier.addClass('cat', pictures(0, 0, 3));
    function* endless() {
      for (let i = 0; ; i++) yield { ...pictures(0, 0, 1)[0], id: `${i}` };
    }
    const signal = AbortSignal.timeout(50);
    await expect(classifier.addExamples('cat', endless(), { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
    const classifying = async () => {
      for await (const _ of classifier.classifyMany(endless(), { signal: AbortSignal.timeout(50) }));
    };
    await expect(classifying()).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(classifier.numExamples).toBe(3);
  }
});
