/** `imprint rename`: gives a class another label. */

import { ImprintError, type Classifier } from '@imprint/core';
import { updateClassifier, type ImageInput } from '@imprint/node';
import type { Command } from '../command.ts';
import { displayText } from '../display-text.ts';

export const rename: Command = {
  name: 'rename',
  summary: 'give a class another label',
  usage: ['rename FILE OLD NEW [--join] [--json]'],
  options: {
    join: { help: 'where NEW is a class already, put the examples of OLD into it' },
    json: { help: 'print one JSON object instead of text' },
  },
  examples: [
    ['imprint rename pets.imprint dog hound', 'the examples stay, the label changes'],
    ['imprint rename pets.imprint puppy dog --join', 'two classes become one'],
  ],
  async run(args, { output }) {
    const [file, from, to] = args.exactly('FILE', 'OLD', 'NEW');
    const names = { from: from.normalize('NFC'), to: to.normalize('NFC') };
    await updateClassifier(file, { backbone: null }, (classifier) => {
      const isOther = names.from !== names.to && classifier.classes.some(({ label }) => label === names.to);
      if (args.has('join') && isOther) classifier.mergeClasses(from, to);
      else renameOrSayHowToJoin(classifier, from, to);
    });
    if (args.has('json')) await output.json({ file, ...names });
    else await output.line(`${displayText(from)} is now ${displayText(to)}.`);
    return 0;
  },
};

function renameOrSayHowToJoin(classifier: Classifier<ImageInput>, from: string, to: string): void {
  try {
    classifier.renameClass(from, to);
  } catch (cause) {
    if (!(cause instanceof ImprintError && cause.code === 'CLASS_EXISTS')) throw cause;
    const message = cause.message.replace('use mergeClasses', 'add --join');
    throw new ImprintError('CLASS_EXISTS', message, { cause });
  }
}
