/** A solution from sums alone, for classifiers that keep no examples. */

import type { FitContext } from './head.ts';
import { statisticsHeadNamed } from './heads/head-named.ts';
import type { ClassStatistics } from './memory/class-statistics.ts';
import { predict, predictOne } from './predict.ts';
import { fitStatisticsDetector } from './scores/statistics-detector.ts';
import { statisticsTemperature } from './scores/statistics-temperature.ts';
import type { Solution } from './solution.ts';

/** Solves from sums that have at least one class. */
export async function solveStatistics(
  content: ClassStatistics,
  name: string,
  unknownBelow: number,
  context: FitContext,
): Promise<Solution> {
  const statistics = content.view();
  const { labels, width } = statistics;
  const head = await statisticsHeadNamed(name, statistics).fitFromStatistics(statistics, context);
  const temperature = await statisticsTemperature(head, statistics, context);
  const detector = await fitStatisticsDetector(statistics, context);
  const calibration = { temperature, slope: 1, offset: 0 };
  const scores = new Float64Array(labels.length);
  const parts = { labels, width, scores, head, calibration, detector, unknownBelow, nearest: () => [] };
  return {
    labels,
    head,
    temperature,
    report: head.report,
    predict: (codes, numQueries, options) => predict(parts, codes, numQueries, options),
    predictOne: (codes, options) => predictOne(parts, codes, options),
  };
}
