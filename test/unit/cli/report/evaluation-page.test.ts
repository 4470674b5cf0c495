/** The evaluation page: complete, self-contained, readable by machines that read pages to people, and safe with anyone's labels. */

import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { evaluationPage, type EvaluationPageOptions } from '../../../../packages/cli/src/report/evaluation-page.ts';
import { embeddingMap } from '../../../../packages/core/src/evaluation/embedding-map.ts';
import { evaluatePredictions, type EvaluationInput } from '../../../../packages/core/src/evaluation/evaluate.ts';
import { seededRandom } from '../../../embeddings.ts';

/** `count` predictions over the labels, four of five right; every tenth input of no class where `strangers`. */
function predictions(labels: readonly string[], count: number, strangers: boolean): EvaluationInput {
  const random = seededRandom(3);
  const trueIndices = Int32Array.from({ length: count }, (_, i) =>
    strangers && i % 10 === 0 ? -1 : i % labels.length,
  );
  return {
    labels,
    trueIndices,
    predictedIndices: trueIndices.map((k) => (k >= 0 && random() < 0.8 ? k : Math.floor(random() * labels.length))),
    confidences: Float64Array.from({ length: count }, () => 0.3 + 0.7 * random()),
    known: Uint8Array.from({ length: count }, () => (random() < 0.9 ? 1 : 0)),
    strangeness: Float64Array.from(trueIndices, (k) => (k < 0 ? 1 : 0) + random()),
  };
}

function pageOf(input: EvaluationInput, options: Partial<EvaluationPageOptions> = {}): string {
  const codes = Int8Array.from({ length: input.trueIndices.length * 4 }, (_, i) => ((i * 37) % 200) - 100);
  const { points, explained } = embeddingMap(codes, input.trueIndices.length, 4, 4);
  const map = { points, explained, trueIndices: input.trueIndices, predictedIndices: input.predictedIndices };
  return evaluationPage(evaluatePredictions(input), { title: 'pets.imprint', map, ...options });
}

const pets = ['cat', 'dog', 'owl'];

describe('evaluationPage', () => {
  const html = pageOf(predictions(pets, 200, true), { notes: ['head: auto'] });
  const { document } = parseHTML(html);

  it('shows confusion matrix, bars by class, reliability, unknown histogram and map, each named and described', () => {
    const charts = [...document.querySelectorAll('svg[role="img"]')];
    expect(charts.map((chart) => chart.querySelector('title')?.textContent)).toEqual([
      'Accuracy by class',
      'Confusion matrix',
      'Reliability of confidence',
      'Strangeness of known and unknown photos',
      'Map of embeddings',
    ]);
    for (const chart of charts) expect(chart.getAttribute('aria-label')?.length).toBeGreaterThan(40);
    expect(document.querySelectorAll('figure figcaption').length).toBe(charts.length);
    for (const section of document.querySelectorAll('section')) {
      expect(document.getElementById(section.getAttribute('aria-labelledby') ?? '')?.tagName).toBe('H2');
    }
  });

  it('states the figures of the result', () => {
    const result = evaluatePredictions(predictions(pets, 200, true));
    const tiles = document.querySelector('.tiles')?.textContent ?? '';
    expect(tiles).toContain(`${(100 * (result.accuracy ?? 0)).toFixed(1)} %`);
    expect(tiles).toContain(`${result.correct} of ${result.examples} photos`);
    expect(tiles).toContain(result.unknown?.auroc?.toFixed(3));
    expect(document.querySelectorAll('tbody tr th').length).toBe(3);
  });

  it('loads nothing: no script, no link, no address but the names of XML', () => {
    expect(document.querySelectorAll('script, link, iframe, img, object, embed').length).toBe(0);
    expect(html.match(/https?:\/\/[^"'\s)]+/g)?.filter((url) => !url.startsWith('http://www.w3.org/')) ?? []).toEqual(
      [],
    );
    expect(document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute('content')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'",
    );
  });

  it('is the same text for the same result', () => {
    expect(pageOf(predictions(pets, 200, true), { notes: ['head: auto'] })).toBe(html);
  });
});

it('keeps hostile and odd labels text', () => {
  const labels = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '__proto__',
    "O'Neill & Söhne",
    '猫'.repeat(60),
  ];
  const html = pageOf(predictions(labels, 100, true), { title: '<b>x</b>', notes: ['</style><script>1</script>'] });
  const { document } = parseHTML(html);
  expect(document.querySelectorAll('script, img, b b').length).toBe(0);
  expect(document.querySelector('h1')?.textContent).toBe('<b>x</b>');
  expect([...document.querySelectorAll('tbody th')].map((cell) => cell.textContent)).toEqual(labels);
});

it.each([
  ['one class', predictions(['only'], 12, false)],
  [
    '300 classes',
    predictions(
      Array.from({ length: 300 }, (_, i) => `class ${i}`),
      900,
      true,
    ),
  ],
  ['only photos of no learned class', { ...predictions(pets, 20, false), trueIndices: new Int32Array(20).fill(-1) }],
  ['a single photo', predictions(pets, 1, false)],
])('draws %s', (_what, input) => {
  const html = pageOf(input);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
  expect(html.length).toBeLessThan(1_000_000);
});

it('leaves the map out where there is none', () => {
  const result = evaluatePredictions(predictions(pets, 50, false));
  expect(evaluationPage(result, { title: 'x' })).not.toContain('Map of embeddings');
});
