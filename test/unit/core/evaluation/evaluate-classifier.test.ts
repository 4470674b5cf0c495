/** A classifier that is changed while it is measured: figures are of one classifier, or there are none. */

import { describe, expect, it } from 'vitest';
import { Classifier } from '../../../../packages/core/src/classifier.ts';
import { readyEmbeddings, type ReadyEmbedding } from '../../../../packages/core/src/ready-embeddings.ts';
import { clusterEmbedding } from '../../../embeddings.ts';

const input = (k: number, n: number): ReadyEmbedding => ({ embedding: clusterEmbedding(k, n, 12) });

type Fallible = (classifier: Classifier<ReadyEmbedding>) => unknown;

describe.each(['examples', 'statistics'] as const)('evaluate with memory %s', (memory) => {
  async function accuracy(change: Fallible): Promise<number | null> {
    const classifier = new Classifier(readyEmbeddings({ name: 'test', dim: 12 }), { memory });
    for (let k = 0; k < 3; k++)
      await classifier.addClass(
        'abc'[k],
        [0, 1, 2, 3].map((n) => input(k, n)),
      );
    async function* examples(): AsyncGenerator<{ label: string; input: ReadyEmbedding }> {
      for (let i = 0; i < 20; i++) {
        if (i === 10) await change(classifier);
        // A source that pauses is answered in small batches.
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield { label: 'a', input: input(0, 100 + i) };
      }
    }
    return (await classifier.evaluate(examples())).accuracy;
  }
  const changed = /same classes until evaluate has ended, got other classes or examples/;

  it('answers where nothing changed', async () => {
    expect(await accuracy(() => undefined)).toBe(1);
  });

  it('refuses classes that swap their names', async () => {
    const swap: Fallible = (classifier) => {
      classifier.renameClass('a', 'aside');
      classifier.renameClass('b', 'a');
      classifier.renameClass('aside', 'b');
    };
    await expect(accuracy(swap)).rejects.toThrow(changed);
  });

  it('refuses examples that come meanwhile', async () => {
    await expect(accuracy((classifier) => classifier.addExamples('a', [input(0, 50)]))).rejects.toThrow(changed);
  });
});
