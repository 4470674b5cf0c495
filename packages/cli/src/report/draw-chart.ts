/** Draws a chart as SVG text: Observable Plot on a light DOM, no browser. */

import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

export interface ChartText {
  /** What the chart is, read out first. */
  readonly title: string;
  /** What it shows, in a sentence or two, for who cannot see it. */
  readonly description: string;
}

/**
 * The chart as one `<svg role="img">` with its title and description inside. Colours are CSS variables of the page, so that
 * it follows the reader's light or dark scheme.
 */
export function drawChart(options: Plot.PlotOptions, { title, description }: ChartText): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const chart = Plot.plot({
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    style: {
      background: 'transparent',
      color: 'var(--ink)',
      fontSize: '12px',
      fontFamily: 'inherit',
      overflow: 'visible',
    },
    ...options,
  });
  chart.setAttribute('role', 'img');
  chart.setAttribute('aria-label', `${title}. ${description}`);
  const heading = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  heading.textContent = title;
  chart.prepend(heading as unknown as string);
  return chart.outerHTML;
}
