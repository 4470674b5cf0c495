/** Merging into one of the files that are merged, while another caller changes it. */

import { AsyncResource } from 'node:async_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readyEmbeddings } from '@imprint/core';
import { createClassifier, openClassifier, saveClassifier, updateClassifier } from '@imprint/node';
import { parseArguments } from '../../../../packages/cli/src/command-arguments.ts';
import { merge } from '../../../../packages/cli/src/commands/merge.ts';
import { Output } from '../../../../packages/cli/src/output.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-merge-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A file of one example for each label. */
async function save(name: string, ...labels: string[]): Promise<string> {
  const path = join(folder, name);
  await using classifier = await createClassifier({ backbone: readyEmbeddings({ name: 'ready', dim: 3 }) });
  for (const [i, label] of labels.entries()) {
    const embedding = Float32Array.of(1, i, 2);
    await classifier.addClass(label, [{ id: label, embedding }]);
  }
  await saveClassifier(classifier, path);
  return path;
}

it('loses no change of a file that it reads and writes', async () => {
  const out = await save('out.imprint', 'kept', 'forgotten');
  const other = await save('other.imprint', 'new');
  const elsewhere = new AsyncResource('a caller that is not within the verb');
  let change: Promise<void> | undefined;
  // The verb looks at its signal when it has read its files and not yet saved: there the other caller comes in.
  const signal = Object.assign(new AbortController().signal, {
    throwIfAborted() {
      change ??= elsewhere.runInAsyncScope(() =>
        updateClassifier(out, { backbone: null }, (classifier) => classifier.removeClass('forgotten')),
      );
    },
  });
  const [output, notices] = [new Output(new PassThrough()), new Output(new PassThrough())];
  expect(await merge.run(parseArguments([out, out, other], merge.options), { output, notices, signal })).toBe(0);
  await change;
  await using merged = await openClassifier(out, { backbone: null });
  expect(merged.classes.map(({ label }) => label)).toEqual(['kept', 'new']);
});
