/** The map of embeddings: one dot a photo, near where similar photos are. */

import * as Plot from '@observablehq/plot';
import { drawChart } from './draw-chart.ts';
import { percentText, shortened } from './escape-html.ts';

/** What the map shows; arrays have one entry a photo. */
export interface EmbeddingMapData {
  /** Float64Array, count x 2: what `embeddingMap` returned. */
  readonly points: ArrayLike<number>;
  /** Share of the variance that each axis shows. */
  readonly explained: readonly [number, number];
  /** Index into the result's labels; -1 for a photo of no learned class. */
  readonly trueIndices: ArrayLike<number>;
  /** The likeliest class, where the photo was classified; absent where the map shows learned examples. */
  readonly predictedIndices?: ArrayLike<number>;
}

interface Dot {
  readonly x: number;
  readonly y: number;
  readonly truth: number;
  readonly outcome: Outcome;
  readonly tip: string;
}

export type Outcome = 'right' | 'wrong' | 'unknown';

/** Dots that a page can hold; more are thinned evenly. */
const MOST_DOTS = 4000;
/** Class names that the map can hold without hiding it. */
const MOST_NAMES = 40;

export const OUTCOME_COLOURS: Readonly<Record<Outcome, string>> = {
  right: 'var(--blue)',
  wrong: 'var(--red)',
  unknown: 'var(--orange)',
};

export function embeddingChart(map: EmbeddingMapData, labels: readonly string[]): string {
  const dots = dotsOf(map, labels);
  const step = Math.max(1, Math.ceil(dots.length / MOST_DOTS));
  const drawn = dots.filter((_, i) => i % step === 0);
  const centres = classCentres(dots);
  const named = centres.length <= MOST_NAMES ? centres : [];
  const symbols: Record<Outcome, 'circle' | 'times' | 'triangle'> = {
    right: 'circle',
    wrong: 'times',
    unknown: 'triangle',
  };
  return drawChart(
    {
      width: 1060,
      height: 620,
      margin: 24,
      x: { axis: null, inset: 12 },
      y: { axis: null, inset: 12 },
      marks: [
        Plot.frame({ stroke: 'var(--grid)' }),
        ...(['right', 'unknown', 'wrong'] as const).map((outcome) =>
          Plot.dot(
            drawn.filter((dot) => dot.outcome === outcome),
            {
              x: 'x',
              y: 'y',
              r: 3,
              symbol: symbols[outcome],
              ...(outcome === 'wrong'
                ? { stroke: OUTCOME_COLOURS.wrong, strokeWidth: 1.6 }
                : { fill: OUTCOME_COLOURS[outcome], fillOpacity: 0.5, stroke: 'none' }),
              title: 'tip',
            },
          ),
        ),
        Plot.text(named, {
          x: 'x',
          y: 'y',
          text: ({ truth }: { truth: number }) => shortened(labels[truth], 18),
          fill: 'var(--ink)',
          stroke: 'var(--panel)',
          strokeWidth: 4,
          fontWeight: 600,
        }),
      ],
    },
    {
      title: 'Map of embeddings',
      description: `${dots.length} photos by the two directions in which their embeddings differ most, ${percentText(map.explained[0] + map.explained[1])} of the variance.`,
    },
  );
}

function dotsOf({ points, trueIndices, predictedIndices }: EmbeddingMapData, labels: readonly string[]): Dot[] {
  return Array.from({ length: trueIndices.length }, (_, i) => {
    const truth = trueIndices[i];
    const predicted = predictedIndices?.[i] ?? truth;
    const outcome = truth < 0 ? 'unknown' : predicted === truth ? 'right' : 'wrong';
    const tip =
      truth < 0
        ? 'no learned class'
        : outcome === 'right'
          ? labels[truth]
          : `${labels[truth]}, taken for ${labels[predicted]}`;
    return { x: points[2 * i], y: points[2 * i + 1], truth, outcome, tip };
  });
}

function classCentres(dots: readonly Dot[]): { truth: number; x: number; y: number }[] {
  const sums = new Map<number, { x: number; y: number; count: number }>();
  for (const { truth, x, y } of dots) {
    if (truth < 0) continue;
    const sum = sums.get(truth) ?? { x: 0, y: 0, count: 0 };
    sums.set(truth, { x: sum.x + x, y: sum.y + y, count: sum.count + 1 });
  }
  return [...sums].map(([truth, { x, y, count }]) => ({ truth, x: x / count, y: y / count }));
}
