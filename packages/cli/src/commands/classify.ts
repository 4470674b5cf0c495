/** `imprint classify`: says of each photo which class it shows, how sure that is, and whether it is like anything learned. */

import type { Prediction } from '@imprint/core';
import { listImages, openClassifier } from '@imprint/node';
import { backboneOptions, FILE_BACKBONE_OPTIONS } from '../backbone-options.ts';
import type { Command } from '../command.ts';
import { displayText, pad, percent, shorten, widest } from '../display-text.ts';
import { closedFolders, reportLeftOut } from '../left-out.ts';
import { nameIgnored } from '../name-ignored.ts';
import type { Output } from '../output.ts';
import { paintFor, type Paint } from '../paint.ts';
import { Progress } from '../progress.ts';
import { requireClasses } from '../require-classes.ts';
import { requireImages } from '../require-images.ts';

const MAX_LABEL_COLUMNS = 28;
/** What confidence, novelty and a runner-up take, in columns. */
const FIGURE_COLUMNS = 44;
const MIN_FILE_COLUMNS = 20;
/** Below this a runner-up says nothing. */
const MIN_RUNNER_UP = 0.01;

export const classify: Command = {
  name: 'classify',
  summary: 'say which class each photo shows',
  usage: ['classify FILE IMAGE|DIR... [--top K] [--backbone NAME|DIR] [--device DEVICE] [--json]'],
  details: [
    'Folders are searched with the folders in them. Confidence is the calibrated probability of the label; novelty is the share',
    'of learned examples that would look at least as strange, so a small one means that the photo is like nothing learned.',
    'With --json one object a line: {file, label (null: unknown), known, confidence, novelty, top, nearest}.',
  ],
  options: {
    top: { value: 'K', help: 'how many labels to name; default 5 with --json, else 3' },
    nearest: { value: 'K', help: 'with --json, how many of the most similar learned examples to name; default 3' },
    ...FILE_BACKBONE_OPTIONS,
    json: { help: 'print one JSON object a photo' },
  },
  examples: [
    ['imprint classify pets.imprint who.jpg', 'one photo'],
    ['imprint classify pets.imprint inbox --json', 'all photos of a folder, one JSON object a line'],
  ],
  async run(args, { output, notices, signal }) {
    const [file, ...paths] = args.exactly('FILE', 'IMAGE|DIR...');
    const json = args.has('json');
    const top = args.count('top', 1) ?? (json ? 5 : 3);
    const nearest = args.count('nearest', 0) ?? 3;
    const options = { ...backboneOptions(args, notices), signal };
    const images = await listImages(paths);
    requireImages(images, paths);
    const { paths: files, ignored } = images;
    await using classifier = await openClassifier(file, options);
    requireClasses(classifier, file);
    const table = new Table(files, classifier.classes, output);
    // A bar and a table on one terminal would overwrite each other: the table is its own progress.
    const hasBar = !output.mayReachTerminal;
    const progress = new Progress(notices, 'classifying', hasBar ? files.length : 0);
    const leftOut = closedFolders(ignored);
    let answered = 0;
    try {
      for await (const result of classifier.classifyMany(files, { top, nearest: json ? nearest : 0, signal })) {
        if (hasBar) progress.step();
        if ('error' in result) {
          leftOut.push({ file: files[result.index], error: result.error });
          continue;
        }
        if (answered++ === 0 && !json) await output.line(table.heading());
        const { prediction } = result;
        if (json) await output.json(asJson(files[result.index], prediction));
        else await output.line(table.row(files[result.index], prediction));
        if (output.closed) break;
      }
    } finally {
      await progress.end();
    }
    await nameIgnored(ignored, notices);
    const status = await reportLeftOut(leftOut, notices);
    return answered === 0 ? 1 : status;
  },
};

function asJson(file: string, { label, known, confidence, novelty, ranking, nearest }: Prediction): object {
  return {
    file,
    label,
    known,
    confidence,
    novelty,
    top: ranking,
    nearest: nearest.map((example) => ({ ...example, source: example.source ?? null })),
  };
}

/** Rows that are aligned although they are printed as they come: the widths follow from the files and the labels. */
class Table {
  readonly #fileColumns: number;
  readonly #labelColumns: number;
  readonly #paint: Paint;

  constructor(files: readonly string[], classes: readonly { readonly label: string }[], output: Output) {
    const labels = ['unknown', ...classes.map(({ label }) => label)];
    this.#labelColumns = Math.min(MAX_LABEL_COLUMNS, widest(labels));
    // A terminal would wrap what is too long; whoever reads a pipe wants the whole name.
    const room = Math.max(MIN_FILE_COLUMNS, output.columns - this.#labelColumns - FIGURE_COLUMNS);
    this.#fileColumns = Math.min(output.isTerminal ? room : Infinity, widest(['photo', ...files]));
    this.#paint = paintFor(output);
  }

  heading(): string {
    return this.#paint('dim', `${this.#cells('photo', 'label')}  confidence  novelty  otherwise`);
  }

  row(file: string, { label, confidence, novelty, ranking }: Prediction): string {
    const name = shorten(displayText(file), this.#fileColumns, 'end');
    const answer = shorten(displayText(label ?? 'unknown'), this.#labelColumns);
    const others = (label === null ? ranking : ranking.slice(1))
      .filter(({ probability }, i) => (label === null && i === 0) || probability >= MIN_RUNNER_UP)
      .map((other) => `${displayText(other.label)} ${percent(other.probability).trim()}`);
    const tone = label === null ? 'bad' : confidence >= 0.5 ? 'good' : 'doubtful';
    const sure = label === null ? '' : percent(confidence);
    const cells = `${pad(name, this.#fileColumns)}  ${this.#paint(tone, pad(answer, this.#labelColumns))}`;
    return `${cells}  ${pad(sure, 10, 'left')}  ${novelty.toFixed(4).padStart(7)}  ${others.join(', ')}`.trimEnd();
  }

  #cells(file: string, label: string): string {
    return `${pad(file, this.#fileColumns)}  ${pad(label, this.#labelColumns)}`;
  }
}
