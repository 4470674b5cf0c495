/** How strange photos of learned classes and of none looked, as two histograms over one range. */

import * as Plot from '@observablehq/plot';
import type { EvaluationResult } from '@imprint/core';
import { drawChart } from './draw-chart.ts';
import { percentText } from './escape-html.ts';

interface Bar {
  readonly from: number;
  readonly to: number;
  /** Percent of its kind. */
  readonly share: number;
  readonly count: number;
  readonly kind: 'known' | 'unknown';
}

function bars({ edges, known, unknown }: NonNullable<EvaluationResult['histogram']>): Bar[] {
  return (['known', 'unknown'] as const).flatMap((kind) => {
    const counts = kind === 'known' ? known : unknown;
    const total = Math.max(
      1,
      counts.reduce((sum, count) => sum + count, 0),
    );
    return counts.map((count, b) => ({ from: edges[b], to: edges[b + 1], share: (100 * count) / total, count, kind }));
  });
}

/** Empty where there is no histogram. */
export function strangenessChart({ histogram, unknown }: EvaluationResult): string {
  if (histogram === null) return '';
  const rows = bars(histogram).filter(({ count }) => count > 0);
  const tip = ({ kind, count, share }: Bar): string =>
    `${count} ${kind === 'known' ? 'photos of learned classes' : 'photos of no learned class'} (${share.toFixed(1)} %)`;
  const figures =
    unknown === null
      ? 'No photos of unknown things were given.'
      : `A photo of no learned class looks stranger than one of a learned class in ${percentText(unknown.auroc)} of all pairs.`;
  return drawChart(
    {
      width: 1060,
      height: 260,
      marginLeft: 48,
      marginBottom: 40,
      x: { label: 'Strangeness →', labelAnchor: 'right' },
      y: { label: 'Share of photos (%)', labelAnchor: 'center', zero: true },
      marks: [
        Plot.gridY({ stroke: 'var(--grid)', strokeOpacity: 1 }),
        ...(['known', 'unknown'] as const).map((kind) =>
          Plot.rectY(
            rows.filter((row) => row.kind === kind),
            {
              x1: 'from',
              x2: 'to',
              y: 'share',
              fill: kind === 'known' ? 'var(--blue)' : 'var(--orange)',
              fillOpacity: 0.6,
              insetLeft: 0.5,
              insetRight: 0.5,
              title: tip,
            },
          ),
        ),
        Plot.ruleY([0], { stroke: 'var(--axis)' }),
      ],
    },
    { title: 'Strangeness of known and unknown photos', description: figures },
  );
}
