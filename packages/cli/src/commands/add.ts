/** `imprint add`: more photos for a class, or a new class, in a saved classifier. */

import { createClassifier, fileStore, listImages, openClassifier, updateClassifier } from '@imprint/node';
import { backboneOptions, FILE_BACKBONE_OPTIONS } from '../backbone-options.ts';
import type { Command } from '../command.ts';
import { counted, displayText } from '../display-text.ts';
import { learnClasses, type Learned } from '../learn-classes.ts';
import { closedFolders, leftOutJson, reportLeftOut } from '../left-out.ts';
import { nameIgnored } from '../name-ignored.ts';
import { Progress } from '../progress.ts';
import { requireImages } from '../require-images.ts';

export const add: Command = {
  name: 'add',
  summary: 'add a class, or photos to a class',
  usage: ['add FILE CLASS IMAGE|DIR... [--backbone NAME|DIR] [--device DEVICE] [--json]'],
  details: [
    'Every other class stays exactly as it was. A photo that is there already is not counted twice;',
    'with memory "statistics", which knows no photo again, it is.',
    'Two processes may add to one file at the same time; neither loses what the other adds.',
  ],
  options: { ...FILE_BACKBONE_OPTIONS, json: { help: 'print one JSON object instead of text' } },
  examples: [
    ['imprint add pets.imprint owl owl1.jpg owl2.jpg owl3.jpg', 'a new class'],
    ['imprint add pets.imprint cat photos/more-cats', 'every photo of a folder, into a class that is there'],
  ],
  async run(args, { output, notices, signal }) {
    const [file, label, ...paths] = args.exactly('FILE', 'CLASS', 'IMAGE|DIR...');
    const options = { ...backboneOptions(args, notices), signal };
    const images = await listImages(paths);
    requireImages(images, paths);
    const { paths: files, ignored } = images;

    await using saved = await openClassifier(file, options);
    // Taking the lock finds out now whether the file may be written to.
    await fileStore(file).exclusively(() => Promise.resolve());
    // Learned aside and merged under the file's lock: the lock is held for a moment, however many photos there are.
    const { backbone, head, unknownBelow, memory } = saved;
    await using aside = await createClassifier({ backbone, head, unknownBelow, memory });
    const progress = new Progress(notices, 'adding', files.length);
    let learned: Learned;
    try {
      learned = await learnClasses(aside, [{ label, files }], progress, signal);
    } finally {
      await progress.end();
    }
    signal.throwIfAborted();
    const name = aside.classes[0].label;
    const result = await updateClassifier(file, { backbone: null }, (classifier) => {
      const before = classifier.classes.find((known) => known.label === name)?.count ?? 0;
      classifier.merge(aside);
      const after = classifier.classes.find((known) => known.label === name)?.count ?? 0;
      return { isNew: before === 0, added: after - before, total: after, numClasses: classifier.classes.length };
    });
    const { isNew, added, total, numClasses } = result;
    const duplicates = files.length - learned.leftOut.length - added;
    const leftOut = [...closedFolders(ignored), ...learned.leftOut];

    if (args.has('json')) {
      await output.json({ file, label: name, isNew, added, duplicates, total, leftOut: leftOutJson(leftOut) });
    } else {
      const again = duplicates > 0 ? `, ${counted(duplicates, 'duplicate')} not counted` : '';
      const what = isNew ? `new class, ${counted(numClasses, 'class')} now` : `${counted(total, 'example')} now`;
      await output.line(`${displayText(name)}: ${counted(added, 'example')} added${again} (${what}).`);
    }
    await nameIgnored(ignored, notices);
    return reportLeftOut(leftOut, notices);
  },
};
