/** The confusion matrix: one cell for each pair of classes that occurred, shaded by its share of the true class. */

import * as Plot from '@observablehq/plot';
import type { EvaluationResult } from '@imprint/core';
import { drawChart } from './draw-chart.ts';
import { percentText, shortened, textWidth } from './escape-html.ts';

/** Classes whose names still fit beside the matrix, and whose counts fit in its cells. */
const MOST_NAMED = 40;
const MOST_COUNTED = 16;

export interface Confusion {
  readonly truth: string;
  readonly taken: string;
  readonly count: number;
  /** Share of the true class's inputs. */
  readonly share: number;
}

/** Pairs that occurred, right ones included, by count. */
export function confusions({ labels, confusion, perClass }: EvaluationResult): Confusion[] {
  return confusion
    .flatMap((row, t) =>
      row.map((count, p) => ({
        truth: labels[t],
        taken: labels[p],
        count,
        share: count / Math.max(1, perClass[t].examples),
      })),
    )
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || b.share - a.share);
}

export function confusionChart(result: EvaluationResult): string {
  const cells = confusions(result);
  const present = new Set(cells.flatMap(({ truth, taken }) => [truth, taken]));
  const domain = result.labels.filter((label) => present.has(label));
  const named = domain.length <= MOST_NAMED;
  const names = new Map(domain.map((label) => [label, shortened(label, 18)]));
  const margin = named ? 24 + Math.max(...[...names.values()].map(textWidth)) : 32;
  const size = Math.max(260, Math.min(720, domain.length * 30));
  const tip = ({ truth, taken, count, share }: Confusion): string =>
    truth === taken
      ? `${truth}: ${count} right (${percentText(share)})`
      : `${truth} taken for ${taken}: ${count} (${percentText(share)})`;
  const mistakes = cells.filter(({ truth, taken }) => truth !== taken);
  const tick = {
    tickFormat: (label: string) => names.get(label) ?? label,
    tickSize: 0,
    ...(named ? {} : { ticks: [] }),
  };
  const fill = ({ truth, taken }: Confusion): string => (truth === taken ? 'var(--blue)' : 'var(--red)');
  return drawChart(
    {
      width: size + margin + 24,
      height: size + margin + 16,
      marginLeft: margin,
      marginBottom: 16,
      marginTop: margin,
      marginRight: 24,
      x: { domain, axis: 'top', label: named ? null : 'taken for', tickRotate: -90, padding: 0.04, ...tick },
      y: { domain, label: named ? null : 'true class', padding: 0.04, ...tick },
      marks: [
        Plot.frame({ stroke: 'var(--grid)' }),
        // Square roots, so that a single mistake among many photos can still be seen.
        Plot.cell(cells, {
          x: 'taken',
          y: 'truth',
          fill,
          fillOpacity: (cell: Confusion) => 0.12 + 0.88 * Math.sqrt(cell.share),
          title: tip,
        }),
        ...(domain.length > MOST_COUNTED
          ? []
          : [
              Plot.text(cells, {
                x: 'taken',
                y: 'truth',
                text: (cell: Confusion) => String(cell.count),
                fill: (cell: Confusion) => (cell.share > 0.25 ? 'var(--on-colour)' : 'var(--ink)'),
                title: tip,
              }),
            ]),
      ],
      color: { type: 'identity' },
      opacity: { type: 'identity' },
    },
    {
      title: 'Confusion matrix',
      description: `Rows are the true class, columns what it was taken for. ${
        mistakes.length === 0
          ? 'Nothing was taken for another class.'
          : `Most frequent: ${mistakes
              .slice(0, 3)
              .map(({ truth, taken, count }) => `${truth} taken for ${taken}, ${count} times`)
              .join('; ')}.`
      }`,
    },
  );
}
