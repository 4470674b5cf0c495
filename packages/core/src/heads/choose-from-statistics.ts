/** The default head where there are sums alone. */

import type { DrawnExamples, FitContext, FittedHead, Head, StatisticsMemory } from '../head.ts';
import { earlierTapsShare, MIN_SHOTS } from './choose.ts';
import { typicalShots } from './class-balance.ts';
import { discriminant } from './discriminant.ts';
import { nearestClassMean } from './nearest-class-mean.ts';

/** Sums carry the prototype and the discriminant; the ridge's kernel needs the examples. */
export async function fitAutoFromStatistics(
  statistics: StatisticsMemory,
  context: FitContext,
  drawn?: DrawnExamples,
): Promise<FittedHead> {
  const { counts, taps } = statistics;
  const single = typicalShots(counts) < MIN_SHOTS;
  const head = single
    ? nearestClassMean({ taps: 'last' })
    : discriminant({ taps: earlierTapsShare(taps, typicalShots(counts)) });
  const fitted = await (head.fitFromStatistics as NonNullable<Head['fitFromStatistics']>)(statistics, context, drawn);
  const reason = single
    ? 'With one example a class nothing beats its own embedding: the prototype.'
    : 'Sums without examples carry a discriminant: one covariance for all classes, shrunk.';
  return {
    ...fitted,
    report: { head: 'auto', parameters: { ...fitted.report.parameters, chosen: head.name }, reason },
  };
}
