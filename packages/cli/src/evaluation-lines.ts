/** An evaluation in words and columns, for a terminal. */

import type { EvaluationResult } from '@imprint/core';
import { counted, displayText, pad, percent, widest } from './display-text.ts';
import type { Paint } from './paint.ts';

const MAX_CONFUSIONS = 5;

const rate = (fraction: number | null): string => (fraction === null ? pad('-', 7, 'left') : percent(fraction));

/** Headline figures, each class's own, and who is most often taken for whom. */
export function evaluationLines(result: EvaluationResult, paint: Paint): string[] {
  const { accuracy, balancedAccuracy, correct, examples, expectedCalibrationError, meanConfidence, unknown } = result;
  const headline: [string, number | null, string][] = [
    ['Accuracy', accuracy, `${correct} of ${examples} right`],
    ['Balanced accuracy', balancedAccuracy, "mean of the classes' own"],
    ['Calibration error', expectedCalibrationError, `mean confidence ${rate(meanConfidence).trim()}`],
    ['Accepted as known', result.knownRate, ''],
  ];
  if (unknown !== null) {
    headline.push(
      ['Strangers told', unknown.calledUnknownRate, `of ${counted(unknown.examples, 'image')} of no learned class`],
      ['Unknown AUROC', unknown.auroc, 'a stranger looks stranger than a known one'],
      ['Unknown FPR95', unknown.fpr95, 'of strangers pass where 95 % of the known do'],
    );
  }
  return [
    ...headline.map(([name, value, note]) => `${paint('bold', pad(name, 19))}${rate(value)}   ${note}`.trimEnd()),
    '',
    ...classLines(result, paint),
    ...confusionLines(result),
  ];
}

function classLines({ perClass }: EvaluationResult, paint: Paint): string[] {
  const rows = perClass.filter(({ examples, predicted }) => examples > 0 || predicted > 0);
  const labels = rows.map(({ label }) => label);
  const width = widest(['class', ...labels]);
  return [
    paint('dim', `${pad('class', width)}  images   recall  precision  called unknown`),
    ...rows.map(({ label, examples, recall, precision, calledUnknown }) => {
      const cells = [
        String(examples).padStart(6),
        ` ${rate(recall)}`,
        `  ${rate(precision)}`,
        String(calledUnknown).padStart(14),
      ];
      return `${pad(displayText(label), width)}  ${cells.join('  ')}`;
    }),
  ];
}

function confusionLines({ labels, confusion }: EvaluationResult): string[] {
  const mistakes = confusion
    .flatMap((row, truth) => row.map((count, predicted) => ({ truth, predicted, count })))
    .filter(({ truth, predicted, count }) => truth !== predicted && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, MAX_CONFUSIONS);
  if (mistakes.length === 0) return [];
  return [
    '',
    'Most often mistaken:',
    ...mistakes.map(({ truth, predicted, count }) => {
      return `  ${displayText(labels[truth])} for ${displayText(labels[predicted])}, ${counted(count, 'time')}`;
    }),
  ];
}
