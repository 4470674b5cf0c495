/** `imprint info`: what a saved classifier knows, and which head would answer. */

import { stat } from 'node:fs/promises';
import { ImprintError, SNAPSHOT_VERSION, type HeadReport } from '@imprint/core';
import { openClassifier } from '@imprint/node';
import type { Command } from '../command.ts';
import { counted, displayText, fileSize, pad, percent, widest } from '../display-text.ts';
import { paintFor } from '../paint.ts';

export const info: Command = {
  name: 'info',
  summary: 'list the classes of a classifier, its backbone and its head',
  usage: ['info FILE [--json]'],
  options: { json: { help: 'print one JSON object instead of text' } },
  examples: [['imprint info pets.imprint', 'classes, counts, backbone, leave-one-out accuracy']],
  async run(args, { output, signal }) {
    const [file] = args.exactly('FILE');
    await using classifier = await openClassifier(file, { backbone: null });
    const { size: sizeBytes } = await stat(file);
    const { identity } = classifier.backbone;
    let report: HeadReport | null = null;
    let headError: string | undefined;
    try {
      if (classifier.classes.length > 0) report = await classifier.report({ signal });
    } catch (cause) {
      // What is in the file can be told all the same.
      if (!(cause instanceof ImprintError)) throw cause;
      headError = cause.message;
    }
    const hash = classifier.hash();

    if (args.has('json')) {
      await output.json({
        file,
        sizeBytes,
        formatVersion: SNAPSHOT_VERSION,
        hash,
        backbone: identity,
        options: { head: classifier.head, unknownBelow: classifier.unknownBelow },
        memory: classifier.memory,
        examples: classifier.numExamples,
        classes: classifier.classes,
        head: report,
        ...(headError !== undefined && { headError }),
      });
      return 0;
    }
    const paint = paintFor(output);
    const rows: [string, string][] = [
      ['File', `${displayText(file)}, ${fileSize(sizeBytes)}, format ${SNAPSHOT_VERSION}`],
      ['Hash', hash],
      ['Backbone', `${displayText(identity.name)}, ${counted(identity.taps.length, 'tap')} of ${identity.dim}`],
      ['', `sha256 ${identity.sha256}`],
      ['Memory', classifier.memory === 'examples' ? 'a code of each example' : 'sums only, no example by itself'],
      [
        'Unknown',
        classifier.unknownBelow === 0 ? 'never said' : `said when novelty is below ${classifier.unknownBelow}`,
      ],
    ];
    if (headError !== undefined) {
      rows.push(['Head', `${displayText(classifier.head)}, which gives no answers`], ['', displayText(headError)]);
    }
    if (report !== null) {
      const parameters = Object.entries(report.parameters).map(([name, value]) => `${name} ${shown(value)}`);
      rows.push(['Head', [displayText(report.head), ...parameters].join(', ')], ['', displayText(report.reason)]);
      if (report.leaveOneOutAccuracy !== undefined) {
        rows.push(['Accuracy', `${percent(report.leaveOneOutAccuracy).trim()} by leave-one-out on its own examples`]);
      }
    }
    rows.push(['Classes', `${classifier.classes.length}, with ${counted(classifier.numExamples, 'example')}`]);
    for (const [name, text] of rows) await output.line(`${paint('bold', pad(name, 8))}  ${text}`);
    const width = widest(classifier.classes.map(({ label }) => label));
    const digits = widest(classifier.classes.map(({ count }) => String(count)));
    for (const { label, count } of classifier.classes) {
      await output.line(`          ${pad(displayText(label), width)}  ${pad(String(count), digits, 'left')}`);
    }
    return 0;
  },
};

function shown(value: number | string): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(3) : displayText(String(value));
}
