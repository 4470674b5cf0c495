/** An evaluation as one HTML page that needs nothing else: no network, no script, light and dark. */

import type { EvaluationResult } from '@imprint/core';
import { classChart, MOST_CLASSES_DRAWN } from './class-chart.ts';
import { confusionChart, confusions } from './confusion-chart.ts';
import { embeddingChart, OUTCOME_COLOURS, type EmbeddingMapData } from './embedding-chart.ts';
import { escapeHtml, labelHtml, percentText } from './escape-html.ts';
import { PAGE_STYLE } from './page-style.ts';
import { reliabilityChart } from './reliability-chart.ts';
import { REPORT_MARK } from './report-mark.ts';
import { strangenessChart } from './strangeness-chart.ts';

export interface EvaluationPageOptions {
  /** Heading, usually the classifier's file name. */
  readonly title: string;
  /** Lines under the heading: which head, which backbone, which photos. */
  readonly notes?: readonly string[];
  /** Where the photos lie in the space of embeddings; without it the page has no map. */
  readonly map?: EmbeddingMapData;
}

const MOST_CONFUSIONS = 12;
/** Classes whose confusion matrix fits under the bars, beside the confidence. */
const MOST_STACKED = 16;

/** The page's HTML text, UTF-8. Equal input gives equal text. */
export function evaluationPage(result: EvaluationResult, options: EvaluationPageOptions): string {
  const measured = result.examples > 0;
  const small = result.perClass.length <= MOST_STACKED;
  const columns = [
    stack('seven', [classSection(result), small ? confusionSection(result) : '']),
    stack('five', [reliabilitySection(result), mistakesSection(result)]),
    small ? '' : confusionSection(result),
  ];
  const sections = [
    ...(measured ? columns : []),
    strangenessSection(result),
    options.map === undefined ? '' : mapSection(options.map, result.labels),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${REPORT_MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(options.title)}: evaluation</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${labelHtml(options.title)}</h1>
${(options.notes ?? []).map((note) => `<p class="note">${escapeHtml(note)}</p>`).join('\n')}
</header>
<main>
${tiles(result)}
<div class="grid">
${sections.filter((section) => section !== '').join('\n')}
</div>
</main>
<footer>Made by imprint eval. Rates are shares of photos; nothing on this page is loaded from elsewhere.</footer>
</body>
</html>
`;
}

function tiles(result: EvaluationResult): string {
  const { unknown } = result;
  const list: [name: string, value: string, note: string][] = [
    ['Accuracy', percentText(result.accuracy), `${result.correct} of ${result.examples} photos`],
    ['Balanced accuracy', percentText(result.balancedAccuracy), 'mean of the classes’ own'],
    ['Calibration error', percentText(result.expectedCalibrationError), 'confidence against accuracy'],
    ['Accepted as known', percentText(result.knownRate), 'of photos of learned classes'],
  ];
  if (unknown !== null) {
    list.push(
      ['Strangers told', percentText(unknown.calledUnknownRate), `of ${unknown.examples} photos of no learned class`],
      ['Unknown AUROC', unknown.auroc === null ? '–' : unknown.auroc.toFixed(3), `FPR95 ${percentText(unknown.fpr95)}`],
    );
  }
  const items = list.map(([name, value, note]) => `<li><span>${name}</span><b>${value}</b><small>${note}</small></li>`);
  return `<ul class="tiles" aria-label="Headline figures">\n${items.join('\n')}\n</ul>`;
}

function section(id: string, heading: string, body: string): string {
  return `<section aria-labelledby="${id}">\n<h2 id="${id}">${heading}</h2>\n${body}\n</section>`;
}

function stack(width: string, sections: readonly string[]): string {
  return `<div class="stack ${width}">\n${sections.filter((text) => text !== '').join('\n')}\n</div>`;
}

function figure(svg: string, caption: string): string {
  return `<figure>${svg}<figcaption>${caption}</figcaption></figure>`;
}

function legend(entries: readonly (readonly [colour: string, text: string])[]): string {
  const items = entries.map(([colour, text]) => `<li><i style="background:${colour}"></i>${text}</li>`);
  return `<ul class="legend">${items.join('')}</ul>`;
}

function classSection(result: EvaluationResult): string {
  const present = result.perClass.filter(({ examples }) => examples > 0);
  const rows = result.perClass.map(
    ({ label, examples, recall, precision, f1, calledUnknown }) =>
      `<tr><th scope="row">${labelHtml(label)}</th>${[
        String(examples),
        percentText(recall),
        percentText(precision),
        percentText(f1),
        String(calledUnknown),
      ]
        .map((cell) => `<td class="number">${cell}</td>`)
        .join('')}</tr>`,
  );
  const head = ['Photos', 'Recall', 'Precision', 'F1', 'Called unknown'].map(
    (name) => `<th scope="col" class="number">${name}</th>`,
  );
  const drawn =
    present.length > MOST_CLASSES_DRAWN
      ? `The ${MOST_CLASSES_DRAWN} weakest of ${present.length} classes.`
      : 'The weakest class on top.';
  return section(
    'by-class',
    'Accuracy by class',
    `${legend([
      ['var(--blue)', 'named rightly (recall)'],
      ['var(--orange)', 'right when named (precision)'],
    ])}
${figure(classChart(result), drawn)}
<details><summary>All classes as a table</summary><div class="scroll"><table><thead><tr><th scope="col">Class</th>${head.join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div></details>`,
  );
}

function reliabilitySection(result: EvaluationResult): string {
  return section(
    'reliability',
    'Can its confidence be believed?',
    figure(
      reliabilityChart(result),
      'On the dashed line, answers of 80 % confidence are right 80 times in 100. Above it the classifier is too modest, below it too sure. Grey: how many answers.',
    ),
  );
}

function confusionSection(result: EvaluationResult): string {
  return section(
    'confusion',
    'Who is taken for whom',
    `${legend([
      ['var(--blue)', 'right'],
      ['var(--red)', 'taken for another class'],
    ])}
${figure(confusionChart(result), 'Rows: the true class. Columns: what it was taken for. The stronger the colour, the larger the share of the true class.')}`,
  );
}

function mistakesSection(result: EvaluationResult): string {
  const mistakes = confusions(result).filter(({ truth, taken }) => truth !== taken);
  if (mistakes.length === 0) return section('mistakes', 'Most frequent mistakes', '<p class="note">None.</p>');
  const rows = mistakes
    .slice(0, MOST_CONFUSIONS)
    .map(
      ({ truth, taken, count, share }) =>
        `<tr><td>${labelHtml(truth)}</td><td>${labelHtml(taken)}</td><td class="number">${count}</td><td class="number">${percentText(share)}</td></tr>`,
    );
  return section(
    'mistakes',
    'Most frequent mistakes',
    `<div class="scroll"><table><thead><tr><th scope="col">True class</th><th scope="col">Taken for</th><th scope="col" class="number">Photos</th><th scope="col" class="number">Share</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`,
  );
}

function strangenessSection(result: EvaluationResult): string {
  if (result.histogram === null) return '';
  const { unknown } = result;
  const caption =
    unknown === null
      ? 'Give photos of unknown things with --unknown to see how well they are told.'
      : `Photos of no learned class should lie to the right. ${percentText(unknown.calledUnknownRate)} of them were called unknown, and ${percentText(result.knownRate === null ? null : 1 - result.knownRate)} of the known ones.`;
  const entries: (readonly [string, string])[] = [['var(--blue)', 'photos of learned classes']];
  if (unknown !== null) entries.push(['var(--orange)', 'photos of no learned class']);
  return section(
    'strangeness',
    'Known and unknown',
    `${legend(entries)}\n${figure(strangenessChart(result), caption)}`,
  );
}

function mapSection(map: EmbeddingMapData, labels: readonly string[]): string {
  const shown = map.explained[0] + map.explained[1];
  const classified = map.predictedIndices !== undefined;
  const strangers = Array.from(map.trueIndices).some((index) => index < 0);
  const entries: (readonly [string, string])[] = [
    [OUTCOME_COLOURS.right, classified ? 'named rightly' : 'learned example'],
  ];
  if (classified) entries.push([OUTCOME_COLOURS.wrong, 'taken for another class (cross)']);
  if (strangers) entries.push([OUTCOME_COLOURS.unknown, 'no learned class (triangle)']);
  return section(
    'map',
    'Map of embeddings',
    `${legend(entries)}
${figure(embeddingChart(map, labels), `Each mark is a photo; photos that look alike to the backbone lie close. The two axes show ${percentText(shown)} of the variance, so classes that overlap here may still be told apart.`)}`,
  );
}
