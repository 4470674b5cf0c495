/** `imprint remove`: forgets a class, exactly as if it had never been added. */

import { ImprintError } from '@imprint/core';
import { updateClassifier } from '@imprint/node';
import type { Command } from '../command.ts';
import { counted, displayText } from '../display-text.ts';

export const remove: Command = {
  name: 'remove',
  summary: 'forget a class, as if it had never been added',
  usage: ['remove FILE CLASS [--json]'],
  options: { json: { help: 'print one JSON object instead of text' } },
  examples: [['imprint remove pets.imprint owl', 'the other classes stay exactly as they are']],
  details: [
    'A file that keeps sums only (--memory statistics) cannot tell which part of them is a class:',
    'forgetExamples of @imprint/node takes it out, given the same pictures again.',
  ],
  async run(args, { output }) {
    const [file, label] = args.exactly('FILE', 'CLASS');
    const { removed, numClasses } = await updateClassifier(file, { backbone: null }, (classifier) => {
      if (classifier.memory === 'statistics') {
        const message =
          `Expected a classifier that keeps its examples, got ${file}, which keeps sums only: no class can be taken out by its name. ` +
          'Learn it again without that class, or pass its pictures to forgetExamples of @imprint/node, which subtracts them.';
        throw new ImprintError('UNSUPPORTED', message);
      }
      const before = classifier.numExamples;
      classifier.removeClass(label);
      return { removed: before - classifier.numExamples, numClasses: classifier.classes.length };
    });
    if (args.has('json')) await output.json({ file, label: label.normalize('NFC'), removed, classes: numClasses });
    else {
      await output.line(
        `${displayText(label)}: removed with its ${counted(removed, 'example')} (${counted(numClasses, 'class')} left).`,
      );
    }
    return 0;
  },
};
