/** `imprint eval`: how good a classifier is, on labelled photos that it has not learned. */

import { basename } from 'node:path';
import { ImprintError, type Classifier, type EvaluationResult } from '@imprint/core';
import { listClassFolders, listImages, openClassifier, type ClassFolders, type ImageInput } from '@imprint/node';
import { backboneOptions, FILE_BACKBONE_OPTIONS } from '../backbone-options.ts';
import type { Command } from '../command.ts';
import { displayText } from '../display-text.ts';
import { exampleMap } from '../example-map.ts';
import { evaluationLines } from '../evaluation-lines.ts';
import { closedFolders, leftOutJson, reportLeftOut, type LeftOut } from '../left-out.ts';
import { nameIgnored } from '../name-ignored.ts';
import { paintFor } from '../paint.ts';
import { Progress } from '../progress.ts';
import { requireReportPlace, writeReport } from '../report/report-file.ts';
import { requireClasses } from '../require-classes.ts';
import { requireFolder } from '../require-folder.ts';
import { requireImages } from '../require-images.ts';

export const evaluate: Command = {
  name: 'eval',
  summary: 'measure a classifier on labelled photos',
  usage: ['eval FILE DIR [--unknown DIR] [--html OUT] [--backbone NAME|DIR] [--device DEVICE] [--json]'],
  details: [
    'DIR holds one folder for each class, named like it; a class of FILE may be missing. Use photos that were not learned.',
    '--unknown names a folder of photos of no learned class: they measure how well strangers are told.',
    'With --json one object: accuracy, balancedAccuracy, openAccuracy, perClass, confusion (rows: the true class),',
    'expectedCalibrationError, unknown {auroc, fpr95, calledUnknownRate}, ... Rates are fractions from 0 to 1.',
  ],
  options: {
    unknown: { value: 'DIR', help: 'photos of no learned class, in any folders' },
    html: { value: 'OUT', help: 'also write a report page' },
    ...FILE_BACKBONE_OPTIONS,
    json: { help: 'print one JSON object instead of text' },
  },
  examples: [
    ['imprint eval pets.imprint held-out', 'accuracy by class, confusions, calibration'],
    ['imprint eval pets.imprint held-out --unknown street-signs --html report.html', 'with strangers, as a page'],
  ],
  async run(args, { output, notices, signal }) {
    const [file, folder] = args.exactly('FILE', 'DIR');
    const unknownFolder = args.text('unknown');
    const html = args.file('html');
    const options = { ...backboneOptions(args, notices), signal };
    if (html !== undefined) await requireReportPlace(html);
    if (unknownFolder !== undefined) await requireFolder(unknownFolder);
    const known = await listClassFolders(folder);
    const unknown = unknownFolder === undefined ? undefined : await listImages([unknownFolder]);
    if (unknown !== undefined) requireImages(unknown, [unknownFolder!]);
    await using classifier = await openClassifier(file, options);
    requireClasses(classifier, file);
    requireKnownLabels(classifier, known, file);

    const ignored = [...known.ignored, ...(unknown?.ignored ?? [])];
    const leftOut = closedFolders(ignored);
    const progress = new Progress(notices, 'evaluating', known.images.length + (unknown?.paths.length ?? 0));
    let result: EvaluationResult;
    try {
      result = await measure(classifier, known, unknown?.paths, leftOut, progress, signal);
    } finally {
      await progress.end();
    }
    if (html !== undefined) await writeReport(html, await pageOf(result, classifier, file, folder, unknownFolder));
    if (args.has('json')) await output.json({ file, ...result, leftOut: leftOutJson(leftOut) });
    else {
      for (const line of evaluationLines(result, paintFor(output))) await output.line(line);
      if (html !== undefined) await output.line(`Report: ${displayText(html)}`);
    }
    await nameIgnored(ignored, notices);
    return reportLeftOut(leftOut, notices);
  },
};

function requireKnownLabels(classifier: Classifier<ImageInput>, { images }: ClassFolders, file: string): void {
  const labels = new Set(classifier.classes.map(({ label }) => label));
  const stranger = images.find(({ label }) => !labels.has(label));
  if (stranger === undefined) return;
  const some = [...labels].slice(0, 5).join(', ');
  throw new ImprintError(
    'CLASS_NOT_FOUND',
    `Expected folders named like classes of ${file} (${some}${labels.size > 5 ? ', ...' : ''}), got ${JSON.stringify(stranger.label)}. Photos of no learned class go into --unknown DIR.`,
  );
}

async function measure(
  classifier: Classifier<ImageInput>,
  { images }: ClassFolders,
  unknownFiles: readonly string[] | undefined,
  leftOut: LeftOut[],
  progress: Progress,
  signal: AbortSignal,
): Promise<EvaluationResult> {
  // Unreadable inputs are told by their position in their own list; the unknown ones come after all the known.
  let files: readonly string[] = images.map(({ path }) => path);
  const unknown = function* (): Generator<string> {
    files = unknownFiles ?? [];
    yield* files;
  };
  return classifier.evaluate(
    images.map(({ label, path }) => ({ label, input: path })),
    {
      ...(unknownFiles === undefined ? {} : { unknown: unknown() }),
      signal,
      onProgress: () => progress.step(),
      onUnreadable: ({ index, error }) => leftOut.push({ file: files[index], error }),
    },
  );
}

async function pageOf(
  result: EvaluationResult,
  classifier: Classifier<ImageInput>,
  file: string,
  folder: string,
  unknownFolder: string | undefined,
): Promise<string> {
  // Loaded only here: drawing charts takes half as long to load as all the rest.
  const { evaluationPage } = await import('../report/evaluation-page.ts');
  const { identity, device } = classifier.backbone;
  const map = exampleMap(classifier);
  return evaluationPage(result, {
    title: basename(file),
    notes: [
      `Photos of ${folder}${unknownFolder === undefined ? '' : `, strangers of ${unknownFolder}`}.`,
      `Head ${classifier.head}, backbone ${identity.name} on ${device.split(' ')[0]}.`,
    ],
    ...(map === undefined ? {} : { map }),
  });
}
