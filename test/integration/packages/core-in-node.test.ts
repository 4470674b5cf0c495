/** @imprint/core as Node loads it, in three files, is what its modules are. */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { expect, it } from 'vitest';
import * as core from '@imprint/core';

const dist = path.resolve(import.meta.dirname, '../../../packages/core/dist');

it('exports what its modules export', async () => {
  expect(fileURLToPath(import.meta.resolve('@imprint/core'))).toBe(path.join(dist, 'node/index.js'));
  expect(readdirSync(path.join(dist, 'node')).sort()).toEqual(['index.js', 'seldom.js', 'shared.js']);
  const modules = (await import(path.join(dist, 'index.js'))) as object;
  expect(Object.keys(core).sort()).toEqual(Object.keys(modules).sort());
});

it('answers with the same bits, also with what is seldom asked for', async () => {
  const modules = (await import(path.join(dist, 'index.js'))) as typeof core;
  const answers = [];
  for (const { Classifier, readyEmbeddings } of [core, modules]) {
    const classifier = new Classifier(readyEmbeddings({ name: 'test', dim: 8 }), { head: 'discriminant-oas' });
    for (const [kind, label] of ['cat', 'dog'].entries()) {
      const example = (i: number) =>
        Float32Array.from({ length: 8 }, (_, k) => Math.sin(k * (kind + 1) + i / 5) + i / 9);
      await classifier.addClass(
        label,
        [0, 1, 2, 3].map((i) => ({ embedding: example(i) })),
      );
    }
    const query = Float32Array.from({ length: 8 }, (_, k) => Math.sin(2 * k + 0.3));
    answers.push([classifier.hash(), await classifier.classify({ embedding: query }), await classifier.review()]);
  }
  expect(answers[0]).toEqual(answers[1]);
});
