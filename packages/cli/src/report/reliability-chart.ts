/** The reliability diagram: how often answers of a given confidence were right, and how many there were. */

import * as Plot from '@observablehq/plot';
import type { EvaluationResult } from '@imprint/core';
import { drawChart } from './draw-chart.ts';
import { percentText } from './escape-html.ts';

export function reliabilityChart({
  reliability,
  expectedCalibrationError,
  meanConfidence,
  accuracy,
}: EvaluationResult): string {
  const bins = reliability.filter(({ count }) => count > 0);
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const tip = (bin: EvaluationResult['reliability'][number]): string =>
    `confidence ${percentText(bin.from)} to ${percentText(bin.to)}: ${bin.count} answers, ${percentText(bin.accuracy)} right, mean confidence ${percentText(bin.confidence)}`;
  return drawChart(
    {
      width: 440,
      height: 400,
      marginLeft: 48,
      marginBottom: 40,
      x: { domain: [0, 100], label: 'Confidence (%)', labelAnchor: 'center', ticks: 5 },
      y: { domain: [0, 100], label: 'Right (%)', labelAnchor: 'center', ticks: 5 },
      marks: [
        Plot.gridY({ stroke: 'var(--grid)', strokeOpacity: 1, ticks: 5 }),
        Plot.rectY(bins, {
          x1: (bin) => 100 * bin.from,
          x2: (bin) => 100 * bin.to,
          y: (bin) => (12 * bin.count) / most,
          fill: 'var(--muted)',
          fillOpacity: 0.35,
          insetLeft: 1,
          insetRight: 1,
          title: tip,
        }),
        Plot.line(
          [
            [0, 0],
            [100, 100],
          ],
          { stroke: 'var(--axis)', strokeDasharray: '4 4' },
        ),
        Plot.ruleX(bins, {
          x: (bin) => 100 * (bin.confidence ?? 0),
          y1: (bin) => 100 * (bin.confidence ?? 0),
          y2: (bin) => 100 * (bin.accuracy ?? 0),
          stroke: 'var(--red)',
          strokeWidth: 2,
          strokeOpacity: 0.55,
        }),
        Plot.line(bins, {
          x: (bin) => 100 * (bin.confidence ?? 0),
          y: (bin) => 100 * (bin.accuracy ?? 0),
          stroke: 'var(--blue)',
          strokeOpacity: 0.5,
        }),
        Plot.dot(bins, {
          x: (bin) => 100 * (bin.confidence ?? 0),
          y: (bin) => 100 * (bin.accuracy ?? 0),
          r: (bin) => Math.sqrt(bin.count / most),
          fill: 'var(--blue)',
          stroke: 'var(--panel)',
          title: tip,
        }),
      ],
      r: { range: [3, 9], domain: [0, 1] },
    },
    {
      title: 'Reliability of confidence',
      description: `Answers were right ${percentText(accuracy)} of the time at a mean confidence of ${percentText(meanConfidence)}; expected calibration error ${percentText(expectedCalibrationError)}.`,
    },
  );
}
