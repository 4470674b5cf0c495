import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Classifier,
  ImprintError,
  readyEmbeddings,
  type Backbone,
  type ReadyEmbedding,
} from '../../../packages/core/src/index.ts';
import { clusterEmbedding } from '../../embeddings.ts';

const DIM = 24;
const backbone = readyEmbeddings({ name: 'test', dim: DIM, taps: ['last', 'middle'] });

function picture(cluster: number, example: number): ReadyEmbedding {
  return {
    embedding: clusterEmbedding(cluster, example, DIM * 2),
    id: `k${cluster}-${example}`,
    source: `${cluster}-${example}.jpg`,
  };
}

function pictures(cluster: number, from: number, to: number): ReadyEmbedding[] {
  return Array.from({ length: to - from }, (_, i) => picture(cluster, from + i));
}

async function threeClasses(): Promise<Classifier<ReadyEmbedding>> {
  const classifier = new Classifier(backbone);
  for (const [cluster, label] of ['cat', 'dog', 'owl'].entries())
    await classifier.addClass(label, pictures(cluster, 0, 5));
  return classifier;
}

describe('a classifier', () => {
  it('knows a class from a few examples, and says how sure it is and why', async () => {
    const classifier = await threeClasses();
    const prediction = await classifier.classify(picture(1, 99));
    expect(prediction).toMatchObject({ label: 'dog', known: true });
    expect(prediction.confidence).toBeGreaterThan(0.5);
    expect(prediction.confidence).toBeLessThan(1);
    expect(prediction.ranking.map(({ label }) => label)[0]).toBe('dog');
    expect(prediction.ranking.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 12);
    expect(prediction.nearest).toHaveLength(3);
    for (const { label, id, source } of prediction.nearest) {
      expect(label).toBe('dog');
      expect(source).toBe(`${id.slice(1)}.jpg`);
    }
  });

  it('calls an input unlike everything learned unknown', async () => {
    const prediction = await (await threeClasses()).classify(picture(77, 0));
    expect(prediction).toMatchObject({ label: null, known: false });
    expect(prediction.ranking).toHaveLength(3);
  });

  it('learns one more class without moving any other: codes and sums of the rest are byte-identical', async () => {
    const classifier = await threeClasses();
    const before = Classifier.restore<ReadyEmbedding>(classifier.snapshot(), backbone);
    await classifier.addClass('bat', pictures(3, 0, 4));
    expect((await classifier.classify(picture(3, 50))).label).toBe('bat');
    classifier.removeClass('bat');
    expect(classifier.snapshot()).toEqual(before.snapshot());
  });

  it('is the same bytes in whatever order and parts its content came, and through merges (random histories)', async () => {
    const reference = (await threeClasses()).snapshot();
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...Array(15).keys()], { minLength: 15 }),
        fc.integer({ min: 1, max: 15 }),
        fc.nat(15),
        async (order, batch, split) => {
          const labels = ['cat', 'dog', 'owl'];
          const learn = async (items: readonly number[]) => {
            const classifier = new Classifier(backbone);
            await classifier.addClass('passing', [picture(40, 0)]);
            for (let start = 0; start < items.length; start += batch) {
              for (const [cluster, label] of labels.entries()) {
                const part = items.slice(start, start + batch).filter((item) => Math.floor(item / 5) === cluster);
                if (part.length === 0) continue;
                const examples = part.map((item) => picture(cluster, item % 5));
                if (classifier.classes.some((entry) => entry.label === label))
                  await classifier.addExamples(label, examples);
                else await classifier.addClass(label, examples);
              }
            }
            classifier.removeExamples('passing', ['k40-0']);
            return classifier;
          };
          const left = await learn(order.slice(0, split));
          left.merge(await learn(order.slice(split)));
          expect(left.snapshot()).toEqual(reference);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('answers the same after a save and a restore', async () => {
    const classifier = await threeClasses();
    const restored = Classifier.restore<ReadyEmbedding>(classifier.snapshot(), backbone);
    for (const cluster of [0, 1, 2, 50]) {
      expect(await restored.classify(picture(cluster, 31))).toEqual(await classifier.classify(picture(cluster, 31)));
    }
    expect(restored.hash()).toBe(classifier.hash());
  });

  it('solves while an input is on its way, and no longer than somebody may need that', async () => {
    let [arrives, turns] = [() => {}, 0];
    const slow: Backbone<ReadyEmbedding> = {
      identity: backbone.identity,
      device: 'test',
      async *embed(inputs, { signal } = {}) {
        await new Promise<void>((resolve) => (arrives = resolve));
        signal?.throwIfAborted();
        for await (const input of inputs) {
          if (input.id === 'unreadable')
            yield { index: 0, source: undefined, error: new ImprintError('IMAGE_UNREADABLE', 'no') };
          else yield* backbone.embed([input]);
        }
      },
      dispose: () => Promise.resolve(),
    };
    const begun = async () => {
      const yieldToHost = () => new Promise<void>((resolve) => setImmediate(() => resolve(void turns++)));
      const classifier = Classifier.restore<ReadyEmbedding>((await threeClasses()).snapshot(), slow, { yieldToHost });
      turns = 0;
      return classifier;
    };
    const quiet = async () => {
      // Until two looks find no turn more.
      for (let before = -1; before !== turns;) {
        before = turns;
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      return turns;
    };
    const classifier = await begun();
    const answer = classifier.classify(picture(1, 99));
    const whole = await quiet();
    expect(whole).toBeGreaterThan(3);
    arrives();
    expect(await answer).toEqual(await (await threeClasses()).classify(picture(1, 99)));
    expect(turns).toBe(whole);

    const many = await begun();
    const first = many.classifyMany([picture(1, 99)]).next();
    expect(await quiet()).toBe(whole);
    arrives();
    expect((await first).value).toMatchObject({ prediction: { label: 'dog' } });

    // A change makes it useless, the end of everything too, and so does an input that cannot be read.
    for (const end of ['change', 'dispose', 'unreadable'] as const) {
      const other = await begun();
      const asked = other.classify({ ...picture(1, 99), id: end }).then(
        ({ label }) => label,
        ({ code }) => code as string,
      );
      await new Promise((resolve) => setImmediate(resolve));
      if (end === 'change') other.removeClass('owl');
      else if (end === 'dispose') await other.dispose();
      else arrives();
      expect(await quiet(), end).toBeLessThan(whole);
      arrives();
      expect(await asked).toBe({ change: 'dog', dispose: 'DISPOSED', unreadable: 'IMAGE_UNREADABLE' }[end]);
    }
  });

  it('gives the same predictions one by one and in a batch, with errors in their places', async () => {
    const classifier = await threeClasses();
    const wrong: ReadyEmbedding = { embedding: new Float32Array(3), source: 'short' };
    const inputs = [...pictures(0, 20, 60), wrong, ...pictures(2, 20, 40)];
    const results = [];
    for await (const result of classifier.classifyMany(inputs)) results.push(result);
    expect(results.map(({ index }) => index)).toEqual(inputs.map((_, index) => index));
    expect(results[40]).toMatchObject({ source: 'short', error: { code: 'INVALID_EMBEDDING' } });
    const single = await classifier.classify(inputs[45]);
    expect(results[45]).toMatchObject({ prediction: single });
  });

  it('takes ids and sources that are texts only: a saved classifier holds them as such', async () => {
    const classifier = await threeClasses();
    const before = classifier.hash();
    const { embedding } = picture(0, 90);
    for (const named of [{ id: 5 }, { id: 5n }, { source: 42 }, { source: () => 'a' }] as object[]) {
      const adding = classifier.addExamples('cat', [{ embedding, ...named }]);
      await expect(adding).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    expect(classifier.hash()).toBe(before);
    Classifier.restore(classifier.snapshot(), backbone);
  });

  it("says what options are wrong, and what an aborted call's reason is while its source is waited for", async () => {
    const classifier = await threeClasses();
    const loose = classifier as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const one = [picture(0, 50)];
    const controller = new AbortController();
    const wrong = [
      () => loose.addExamples('cat', one, null),
      () => loose.addExamples('cat', one, { onUnreadable: 'Throw' }),
      () => loose.addExamples('cat', one, { signal: controller }),
      () => loose.classify(one[0], null),
      () => loose.classify(one[0], { signal: controller }),
      () => loose.evaluate([{ label: 'cat', input: one[0] }], { onUnreadable: 'skip' }),
      () => loose.evaluate([null]),
      () => loose.save({}),
      async () => Classifier.restore(classifier.snapshot(), undefined as never),
      async () => loose.removeExamples('cat', null),
      async () => loose.removeExamples('cat', 'k0-1'),
    ];
    for (const call of wrong)
      await expect(call()).rejects.toMatchObject({ code: expect.stringMatching(/^(INVALID_|CLASS_)/) });
    let isClosed = false;
    async function* stuck(): AsyncGenerator<ReadyEmbedding> {
      try {
        yield picture(0, 60);
        await new Promise(() => undefined);
      } finally {
        isClosed = true;
      }
    }
    const adding = classifier.addExamples('cat', stuck(), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(adding).rejects.toThrow('enough');
    expect(isClosed).toBe(false);
    expect(classifier.numExamples).toBe(15);
    async function* ends(): AsyncGenerator<ReadyEmbedding> {
      try {
        yield* pictures(0, 60, 70);
      } finally {
        isClosed = true;
      }
    }
    const more = { signal: new AbortController().signal };
    for await (const result of classifier.classifyMany(ends(), more)) {
      expect(result.index).toBe(0);
      break;
    }
    expect(isClosed).toBe(true);
  });

  it('is measured on the classes that it had, or not at all', async () => {
    const classifier = await threeClasses();
    async function* examples(): AsyncGenerator<{ label: string; input: ReadyEmbedding }> {
      for (let i = 0; i < 64; i++) {
        if (i === 40) classifier.renameClass('dog', 'wolf');
        yield { label: 'dog', input: picture(1, 100 + i) };
      }
    }
    await expect(classifier.evaluate(examples())).rejects.toThrow(/same classes until evaluate has ended/);
    // A source that pauses is answered in small batches.
    const growing = await threeClasses();
    async function* slowly(): AsyncGenerator<{ label: string; input: ReadyEmbedding }> {
      for (let i = 0; i < 6; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (i === 3) await growing.addClass('bat', pictures(3, 0, 4));
        yield { label: 'dog', input: picture(1, 100 + i) };
      }
    }
    await expect(growing.evaluate(slowly())).rejects.toThrow(/same classes until evaluate has ended/);
  });

  it('counts what was there already, and reports what cannot be read only where asked to', async () => {
    const classifier = new Classifier(backbone);
    const broken: ReadyEmbedding = { embedding: new Float32Array(2) };
    await expect(classifier.addClass('cat', [picture(0, 0), broken])).rejects.toMatchObject({
      code: 'INVALID_EMBEDDING',
    });
    expect(classifier.classes).toEqual([]);
    const report = await classifier.addClass('cat', [picture(0, 0), broken, picture(0, 0), picture(0, 1)], {
      onUnreadable: 'skip',
    });
    expect(report).toMatchObject({ added: 2, duplicates: 1, unreadable: [{ index: 1 }] });
    expect(await classifier.addExamples('cat', pictures(0, 0, 3))).toMatchObject({ added: 1, duplicates: 2 });
  });

  it('reports progress, and leaves everything as it was when aborted', async () => {
    const classifier = await threeClasses();
    const before = classifier.snapshot();
    const controller = new AbortController();
    const seen: number[] = [];
    const adding = classifier.addClass('bat', pictures(3, 0, 50), {
      signal: controller.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done === 7) controller.abort(new Error('enough'));
      },
    });
    await expect(adding).rejects.toThrow('enough');
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(classifier.snapshot()).toEqual(before);
  });

  it('joins two classes into the one that would have been learned from both', async () => {
    const classifier = await threeClasses();
    classifier.mergeClasses('dog', 'cat');
    const fresh = new Classifier(backbone);
    await fresh.addClass('owl', pictures(2, 0, 5));
    await fresh.addClass('cat', [...pictures(1, 0, 5), ...pictures(0, 0, 5)]);
    expect(classifier.snapshot()).toEqual(fresh.snapshot());
  });

  it('moves examples whose label was wrong, as if it had been right from the start', async () => {
    const classifier = await threeClasses();
    const right = classifier.hash();
    const ids = classifier.examples('dog').map(({ id }) => id);
    classifier.moveExamples('dog', 'cat', ids.slice(0, 2));
    expect(classifier.classes.map(({ count }) => count)).toEqual([7, 3, 5]);
    const wrong = new Classifier(backbone);
    await wrong.addClass('cat', [...pictures(0, 0, 5), ...pictures(1, 0, 2)]);
    await wrong.addClass('dog', pictures(1, 2, 5));
    await wrong.addClass('owl', pictures(2, 0, 5));
    expect(classifier.hash()).toBe(wrong.hash());
    const code = (name: string) => expect.objectContaining({ code: name });
    expect(() => classifier.moveExamples('cat', 'dog', [ids[0], ids[4]])).toThrow(code('EXAMPLE_NOT_FOUND'));
    expect(() => classifier.moveExamples('cat', 'bat', [ids[0]])).toThrow(code('CLASS_NOT_FOUND'));
    expect(() => classifier.moveExamples('cat', 'cat', [ids[0]])).toThrow(code('INVALID_ARGUMENT'));
    expect(() => classifier.moveExamples('cat', 'dog', null as never)).toThrow(code('INVALID_ARGUMENT'));
    expect(classifier.hash()).toBe(wrong.hash());
    classifier.moveExamples('cat', 'dog', [...ids.slice(0, 2), ids[0]]);
    expect(classifier.hash()).toBe(right);
    classifier.moveExamples('dog', 'owl', ids);
    expect(classifier.classes.map(({ label }) => label)).toEqual(['cat', 'owl']);
    const sums = new Classifier(backbone, { memory: 'statistics' });
    expect(() => sums.moveExamples('cat', 'dog', ['a'])).toThrow(code('UNSUPPORTED'));
  });

  it('measures itself on labelled inputs and on strangers', async () => {
    const classifier = await threeClasses();
    const examples = ['cat', 'dog', 'owl'].flatMap((label, cluster) =>
      pictures(cluster, 100, 110).map((input) => ({ label, input })),
    );
    const result = await classifier.evaluate(examples, { unknown: pictures(60, 0, 10) });
    expect(result).toMatchObject({ examples: 30, accuracy: 1, unknown: { examples: 10, auroc: 1 } });
    const stranger = classifier.evaluate([{ label: 'emu', input: picture(0, 0) }]);
    await expect(stranger).rejects.toMatchObject({ code: 'CLASS_NOT_FOUND' });
  });

  it('works with one class, and with one example in all', async () => {
    const classifier = new Classifier(backbone);
    await classifier.addClass('cat', pictures(0, 0, 6));
    expect((await classifier.classify(picture(0, 90))).label).toBe('cat');
    expect((await classifier.classify(picture(9, 0))).label).toBeNull();
    const single = new Classifier(backbone);
    await single.addClass('cat', [picture(0, 0)]);
    const prediction = await single.classify(picture(0, 0));
    expect(prediction.label).toBe('cat');
    expect(Number.isFinite(prediction.confidence + prediction.novelty + prediction.strangeness)).toBe(true);
  });

  it('takes labels that are names of object members', async () => {
    const classifier = new Classifier(backbone);
    const labels = ['__proto__', 'constructor', 'hasOwnProperty'];
    for (const [cluster, label] of labels.entries()) await classifier.addClass(label, pictures(cluster, 0, 3));
    const restored = Classifier.restore<ReadyEmbedding>(classifier.snapshot(), backbone);
    expect(restored.classes.map(({ label }) => label).sort()).toEqual([...labels].sort());
    expect((await restored.classify(picture(0, 9))).label).toBe('__proto__');
  });

  it('says what is wrong with arguments that no compiler has seen, and keeps what it has', async () => {
    const code = (name: string) => expect.objectContaining({ code: name });
    const classifier = new Classifier(backbone);
    await classifier.addClass('cat', [picture(0, 0), picture(0, 1)]);
    const before = classifier.hash();
    const many = [undefined, null, 7, 'cat.jpg', new Uint8Array(3), { embedding: picture(0, 2).embedding }];
    for (const wrong of many as never[]) {
      await expect(classifier.addClass('dog', wrong)).rejects.toEqual(code('INVALID_ARGUMENT'));
      await expect(classifier.addExamples('cat', wrong)).rejects.toEqual(code('INVALID_ARGUMENT'));
      await expect(classifier.forgetExamples('cat', wrong)).rejects.toEqual(code('INVALID_ARGUMENT'));
      await expect(classifier.classifyMany(wrong).next()).rejects.toEqual(code('INVALID_ARGUMENT'));
      await expect(classifier.evaluate(wrong)).rejects.toEqual(code('INVALID_ARGUMENT'));
      await expect(classifier.suggest(wrong)).rejects.toEqual(code('INVALID_ARGUMENT'));
    }
    for (const wrong of [undefined, null, 7, 'cat.jpg', {}] as never[]) {
      await expect(classifier.classify(wrong)).rejects.toEqual(code('INVALID_EMBEDDING'));
      await expect(classifier.addExamples('cat', [wrong])).rejects.toEqual(code('INVALID_EMBEDDING'));
      expect(() => classifier.merge(wrong)).toThrow(code('INVALID_ARGUMENT'));
      expect(() => new Classifier(wrong)).toThrow(code('INVALID_ARGUMENT'));
    }
    // Before a picture is looked at.
    const untouched = { [Symbol.iterator]: () => expect.unreachable() } as never;
    await expect(classifier.suggest(untouched, { count: 0 })).rejects.toEqual(code('INVALID_ARGUMENT'));
    await expect(classifier.classifyMany(untouched, { top: -1 }).next()).rejects.toEqual(code('INVALID_ARGUMENT'));
    expect(() => readyEmbeddings({ name: 'wide', dim: 2 ** 50 })).toThrow(code('INVALID_ARGUMENT'));
    for (const sameClass of [
      'a text',
      { shares: [], byExamples: [] },
      { shares: [0.1, 0.5], byExamples: [{}] },
    ] as never[]) {
      expect(() => readyEmbeddings({ name: 'odd', dim: 8, sameClass })).toThrow(code('BACKBONE_INVALID'));
    }
    expect(classifier.hash()).toBe(before);
  });

  it('says what to do instead of guessing', async () => {
    const classifier = await threeClasses();
    const code = (name: string) => expect.objectContaining({ code: name });
    await expect(new Classifier(backbone).classify(picture(0, 0))).rejects.toEqual(code('NO_CLASSES'));
    await expect(classifier.addClass('cat', pictures(0, 0, 1))).rejects.toEqual(code('CLASS_EXISTS'));
    await expect(classifier.addExamples('emu', pictures(0, 0, 1))).rejects.toEqual(code('CLASS_NOT_FOUND'));
    await expect(classifier.addClass('emu', [])).rejects.toEqual(code('NO_EXAMPLES'));
    await expect(classifier.addClass('', pictures(0, 0, 1))).rejects.toEqual(code('INVALID_LABEL'));
    await expect(classifier.classify(picture(0, 0), { top: 0 })).rejects.toEqual(code('INVALID_ARGUMENT'));
    expect(() => classifier.removeClass('emu')).toThrow(code('CLASS_NOT_FOUND'));
    expect(() => new Classifier(backbone, { head: 'mystery' })).toThrow(code('INVALID_ARGUMENT'));
    expect(() => new Classifier(backbone, { unknownBelow: 2 })).toThrow(code('INVALID_ARGUMENT'));
    for (const unknownBelow of ['0.05', null, true, NaN] as never[]) {
      expect(() => new Classifier(backbone, { unknownBelow })).toThrow(code('INVALID_ARGUMENT'));
    }
    for (const name of [5, '', undefined] as never[]) {
      expect(() => readyEmbeddings({ name, dim: DIM })).toThrow(code('INVALID_ARGUMENT'));
    }
    for (const taps of [[], 7, 'last', [7]] as unknown as string[][]) {
      expect(() => readyEmbeddings({ name: 'other', dim: DIM, taps })).toThrow('a list of at least one tap name');
    }
    const other = readyEmbeddings({ name: 'other', dim: DIM, taps: ['last', 'middle'] });
    expect(() => Classifier.restore(classifier.snapshot(), other)).toThrow(code('BACKBONE_MISMATCH'));
    expect(() => new Classifier(other).merge(classifier)).toThrow(code('BACKBONE_MISMATCH'));
    await classifier.dispose();
    await classifier.dispose();
    await expect(classifier.classify(picture(0, 0))).rejects.toEqual(code('DISPOSED'));
  });
});
