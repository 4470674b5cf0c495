/** `imprint rename`: gives a class another label. */

import { updateClassifier } from '@imprint/node';
import type { Command } from '../command.ts';
import { displayText } from '../display-text.ts';

export const rename: Command = {
  name: 'rename',
  summary: 'give a class another label',
  usage: ['rename FILE OLD NEW [--json]'],
  options: { json: { help: 'print one JSON object instead of text' } },
  examples: [['imprint rename pets.imprint dog hound', 'the examples stay, the label changes']],
  async run(args, { output }) {
    const [file, from, to] = args.exactly('FILE', 'OLD', 'NEW');
    await updateClassifier(file, { backbone: null }, (classifier) => {
      classifier.renameClass(from, to);
    });
    if (args.has('json')) await output.json({ file, from: from.normalize('NFC'), to: to.normalize('NFC') });
    else await output.line(`${displayText(from)} is now ${displayText(to)}.`);
    return 0;
  },
};
