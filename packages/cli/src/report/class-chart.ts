/** Bars of each class's own accuracy (recall), a dot for its precision; the weakest class on top. */

import * as Plot from '@observablehq/plot';
import type { EvaluationResult } from '@imprint/core';
import { drawChart } from './draw-chart.ts';
import { percentText, shortened, textWidth } from './escape-html.ts';

/** Bars that a page can still be read with; beyond it the weakest are shown. */
export const MOST_CLASSES_DRAWN = 40;

export function classChart({ perClass }: EvaluationResult): string {
  const rows = perClass
    .filter(({ examples }) => examples > 0)
    .sort((a, b) => (a.recall ?? 0) - (b.recall ?? 0) || (a.label < b.label ? -1 : 1))
    .slice(0, MOST_CLASSES_DRAWN);
  const names = new Map(rows.map(({ label }) => [label, shortened(label, 28)]));
  const longest = Math.max(24, ...[...names.values()].map(textWidth));
  const tip = (row: (typeof rows)[number]): string =>
    `${row.label}: ${row.correct} of ${row.examples} right (${percentText(row.recall)}), precision ${percentText(row.precision)}`;
  const lowest = rows.slice(0, 3).map((row) => `${row.label} ${percentText(row.recall)}`);
  return drawChart(
    {
      width: 620,
      height: 64 + rows.length * 18,
      marginBottom: 40,
      marginLeft: 16 + longest,
      marginRight: 24,
      x: {
        domain: [0, 100],
        label: 'Share of its photos named rightly (%)  ·  dot: precision',
        labelAnchor: 'center',
        ticks: 5,
      },
      y: {
        label: null,
        domain: rows.map(({ label }) => label),
        tickFormat: (label: string) => names.get(label) ?? label,
        tickSize: 0,
      },
      marks: [
        Plot.gridX({ stroke: 'var(--grid)', strokeOpacity: 1, ticks: 5 }),
        Plot.barX(rows, {
          x: (row) => 100 * (row.recall ?? 0),
          y: 'label',
          fill: 'var(--blue)',
          insetTop: 1,
          insetBottom: 1,
          rx: 2,
          title: tip,
        }),
        Plot.dot(
          rows.filter(({ precision }) => precision !== null),
          {
            x: (row) => 100 * (row.precision ?? 0),
            y: 'label',
            r: 4.5,
            fill: 'var(--orange)',
            stroke: 'var(--panel)',
            title: tip,
          },
        ),
        Plot.ruleX([0], { stroke: 'var(--axis)' }),
      ],
    },
    {
      title: 'Accuracy by class',
      description: `${rows.length} classes, the weakest first: ${lowest.join(', ')}.`,
    },
  );
}
