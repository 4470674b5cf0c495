/** `imprint merge`: several classifiers become one, equal to having learned all their photos in one place. */

import { ImprintError, type Classifier } from '@imprint/core';
import { fileStore, openClassifier, type ImageInput } from '@imprint/node';
import type { Command } from '../command.ts';
import { counted, displayText } from '../display-text.ts';
import { requireReplaceable } from '../replaceable-file.ts';

export const merge: Command = {
  name: 'merge',
  summary: 'join classifiers, as if all had been learned in one place',
  usage: ['merge OUT FILE FILE... [--json]'],
  details: [
    'The files must come from one backbone. Classes of the same label are joined; the order of the files does not matter,',
    'but for the options (head, unknown-below), which are those of the first. OUT may be one of the files.',
  ],
  options: { json: { help: 'print one JSON object instead of text' } },
  examples: [['imprint merge all.imprint phone.imprint laptop.imprint', 'what two devices learned']],
  async run(args, { output, signal }) {
    const [out, first, ...others] = args.exactly('OUT', 'FILE', 'FILE...');
    await requireReplaceable(out);
    const store = fileStore(out);
    // Locked before the first file is read: where OUT is one of them, another process may be about to change it.
    const { classes, examples, hash } = await store.exclusively(async () => {
      await using merged = await openClassifier(first, { backbone: null });
      for (const file of others) {
        signal.throwIfAborted();
        await mergeFile(merged, first, file);
      }
      signal.throwIfAborted();
      await merged.save(store);
      return { classes: merged.classes.length, examples: merged.numExamples, hash: merged.hash() };
    });
    if (args.has('json')) await output.json({ file: out, classes, examples, hash });
    else await output.line(`Saved ${displayText(out)}: ${counted(classes, 'class')}, ${counted(examples, 'example')}.`);
    return 0;
  },
};

async function mergeFile(merged: Classifier<ImageInput>, first: string, file: string): Promise<void> {
  await using other = await openClassifier(file, { backbone: null });
  if (other.memory !== merged.memory) {
    const message = `Expected files of one memory mode, got ${first} (${merged.memory}) and ${file} (${other.memory}). Learn one of them again, with --memory.`;
    throw new ImprintError('INVALID_ARGUMENT', message);
  }
  try {
    merged.merge(other);
  } catch (cause) {
    if (!(cause instanceof ImprintError && cause.code === 'BACKBONE_MISMATCH')) throw cause;
    const [a, b] = [merged, other].map(
      ({ backbone: { identity } }) => `${identity.name} ${identity.sha256.slice(0, 12)}`,
    );
    throw new ImprintError(
      'BACKBONE_MISMATCH',
      `Expected files from one backbone, got ${first} (${a}) and ${file} (${b}). Learn one of them again with the other's backbone.`,
      { cause },
    );
  }
}
