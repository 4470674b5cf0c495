/** A solution from sums alone, for classifiers that keep no examples. */

import type { FitContext } from './head.ts';
import { statisticsHeadNamed } from './heads/head-named.ts';
import type { ClassStatistics } from './memory/class-statistics.ts';
import { withinClassScatter } from './memory/within-class-scatter.ts';
import { predict, predictOne } from './predict.ts';
import { drawExamples } from './scores/drawn-examples.ts';
import { fitStatisticsDetector } from './scores/statistics-detector.ts';
import { fitCalibration } from './scores/top-label-calibration.ts';
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
  const scatter = await withinClassScatter(statistics, context);
  const drawn = await drawExamples(statistics, scatter, context);
  const head = await statisticsHeadNamed(name, statistics).fitFromStatistics(statistics, context, drawn);
  const { classIndices } = drawn;
  const [numDrawn, numClasses] = [classIndices.length, labels.length];
  const leftOut = head.leaveOneOut();
  const trust = statistics.numExamples > numClasses ? 1 : 0;
  const calibration = await fitCalibration(leftOut, classIndices, numDrawn, numClasses, undefined, context, trust);
  const detector = await fitStatisticsDetector(statistics, scatter, drawn, context);
  const scores = new Float64Array(labels.length);
  const parts = { labels, width, scores, head, calibration, detector, unknownBelow, nearest: () => [] };
  return {
    labels,
    head,
    calibration,
    report: head.report,
    predict: (codes, numQueries, options) => predict(parts, codes, numQueries, options),
    predictOne: (codes, options) => predictOne(parts, codes, options),
  };
}
