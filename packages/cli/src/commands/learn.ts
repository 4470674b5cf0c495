/** `imprint learn`: a folder of photos becomes a classifier in a file. */

import { stat } from 'node:fs/promises';
import { createClassifier, listClassFolders, saveClassifier, type NodeBackbone } from '@imprint/node';
import { backboneOptions, DEVICE_OPTION } from '../backbone-options.ts';
import { UsageError, type Command } from '../command.ts';
import { counted, displayText, fileSize, pad, widest } from '../display-text.ts';
import { learnClasses, type ClassFiles, type Learned } from '../learn-classes.ts';
import { closedFolders, leftOutJson, reportLeftOut } from '../left-out.ts';
import { nameIgnored } from '../name-ignored.ts';
import { duration, Progress } from '../progress.ts';
import { requireReplaceable } from '../replaceable-file.ts';
import { HEAD_OPTIONS, headOptions } from '../head-options.ts';

export const learn: Command = {
  name: 'learn',
  summary: 'learn a classifier from a folder of photos',
  usage: ['learn DIR --out FILE [--backbone NAME|DIR] [--device DEVICE] [--json]'],
  details: [
    'DIR holds one folder for each class: DIR/cat/1.jpg, DIR/dog/1.jpg. The folder name is the label.',
    'Five photos a class are a start, twenty are good. One class is enough: it then answers "is it this or not".',
    'FILE is replaced if it is an Imprint classifier; any other file is left alone.',
  ],
  options: {
    out: { value: 'FILE', help: 'where the classifier is saved (needed)' },
    backbone: {
      value: 'NAME|DIR',
      help: 'what sees the photos; default: the embedded imprint-tiny (see imprint models list)',
    },
    device: DEVICE_OPTION,
    ...HEAD_OPTIONS,
    json: { help: 'print one JSON object instead of text' },
  },
  examples: [
    ['imprint learn photos --out pets.imprint', 'learn every folder in photos'],
    ['imprint learn photos --out pets.imprint --backbone dinov2-small', 'with a larger backbone'],
  ],
  async run(args, { output, notices, signal }) {
    const [folder] = args.exactly('DIR');
    const out = args.file('out');
    if (out === undefined)
      throw new UsageError('Expected --out FILE, which says where the classifier is saved, got none.');
    const options = { ...backboneOptions(args, notices), ...headOptions(args), signal };
    await requireReplaceable(out);
    const { images, labels, ignored } = await listClassFolders(folder);
    const filesOf = new Map(labels.map((label): [string, string[]] => [label, []]));
    for (const { label, path } of images) filesOf.get(label)!.push(path);
    const classes: ClassFiles[] = Array.from(filesOf, ([label, files]) => ({ label, files }));
    const empty = classes.filter(({ files }) => files.length === 0);

    const startMs = performance.now();
    await using classifier = await createClassifier(options);
    const progress = new Progress(notices, 'learning', images.length);
    let learned: Learned;
    try {
      learned = await learnClasses(
        classifier,
        classes.filter(({ files }) => files.length > 0),
        progress,
        signal,
      );
    } finally {
      await progress.end();
    }
    signal.throwIfAborted();
    await saveClassifier(classifier, out);
    const leftOut = [...closedFolders(ignored), ...learned.leftOut];
    const seconds = (performance.now() - startMs) / 1000;
    const { size: sizeBytes } = await stat(out);
    const { identity, device } = classifier.backbone;

    if (args.has('json')) {
      await output.json({
        file: out,
        sizeBytes,
        hash: classifier.hash(),
        backbone: identity.name,
        device,
        classes: learned.classes,
        examples: classifier.numExamples,
        leftOut: leftOutJson(leftOut),
        seconds,
      });
    } else {
      const width = widest(learned.classes.map(({ label }) => label));
      for (const { label, added, duplicates } of learned.classes) {
        const again = duplicates > 0 ? `, ${counted(duplicates, 'duplicate')} not counted` : '';
        await output.line(`  ${pad(displayText(label), width)}  ${counted(added, 'example')}${again}`);
      }
      await output.line(
        `Learned ${counted(learned.classes.length, 'class')} from ${counted(classifier.numExamples, 'image')} in ${duration(seconds)} (${displayText(identity.name)} on ${device.split(' ')[0]}).`,
      );
      await output.line(`Saved ${displayText(out)}, ${fileSize(sizeBytes)}.`);
      if (learned.classes.length === 1) {
        await output.line(
          'A classifier of one class answers whether a photo shows it or not. Learn a second one to tell apart.',
        );
      }
    }
    for (const note of notesOf(classifier.backbone)) await notices.line(`imprint: ${displayText(note)}`);
    await nameIgnored(ignored, notices);
    for (const { label } of empty)
      await notices.line(`imprint: the folder of class ${displayText(label)} holds no pictures.`);
    return reportLeftOut(leftOut, notices);
  },
};

/** What was assumed about a model without a manifest, for whoever chose it. */
function notesOf(backbone: object): readonly string[] {
  return 'notes' in backbone ? (backbone as NodeBackbone).notes : [];
}
