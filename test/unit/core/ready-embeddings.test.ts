/** How long ready embeddings may be. */

import { expect, it } from 'vitest';
import { Classifier } from '../../../packages/core/src/classifier.ts';
import { readyEmbeddings } from '../../../packages/core/src/ready-embeddings.ts';

const taps = (count: number): string[] => Array.from({ length: count }, (_, tap) => `tap ${tap}`);

it('embeddings longer than what can be answered are refused at the door', () => {
  // At 66,000 every answer ended in a bare RangeError, of a matrix of dim x dim numbers.
  for (const dim of [8193, 20_000, 66_000, 2 ** 24]) {
    expect(() => readyEmbeddings({ name: 'wide', dim })).toThrow(
      `Expected at most 8192 for dim, got ${dim}. Project the embeddings to fewer numbers`,
    );
  }
  expect(() => readyEmbeddings({ name: 'wide', dim: 1024, taps: taps(33) })).toThrow(
    'Expected at most 32768 for taps x dim, got 33792. Keep fewer taps.',
  );
  expect(readyEmbeddings({ name: 'wide', dim: 8192, taps: taps(4) }).identity.dim).toBe(8192);
});

it('embeddings of as many taps as there may be are told apart', async () => {
  const backbone = readyEmbeddings({ name: 'wide', dim: 512, taps: taps(64) });
  const input = (k: number, n: number): { embedding: Float32Array } => ({
    embedding: Float32Array.from({ length: 64 * 512 }, (_, j) => Math.sin((k + 1) * j) + Math.sin((n + 9) * j) / 4),
  });
  const classifier = new Classifier(backbone);
  await classifier.addClass('a', [input(0, 0), input(0, 1)]);
  await classifier.addClass('b', [input(1, 2), input(1, 3)]);
  expect((await classifier.classify(input(1, 4))).ranking[0].label).toBe('b');
});
