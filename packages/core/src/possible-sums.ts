/** Whether sums that are left when examples are taken out can be those of examples. */

import { ImprintError } from './errors.ts';
import type { FitContext } from './head.ts';
import { choleskyFactor } from './linalg/cholesky.ts';
import { neverIn, type ClassStatistics, type ExampleSums } from './memory/class-statistics.ts';
import { withinClassScatter } from './memory/within-class-scatter.ts';

/** Share of a Gram matrix's mean diagonal entry that rounding stays below. */
const ROUNDING = 1e-9;

/**
 * What `subtract` would leave: no direction may have less than no scatter within classes. Of examples that were never in, this
 * notices all those without which nothing could be solved any more.
 * @throws CLASS_NOT_FOUND, INVALID_ARGUMENT
 */
export async function requirePossibleSums(
  statistics: ClassStatistics,
  label: string,
  removed: ExampleSums,
  context: FitContext,
): Promise<void> {
  const view = statistics.view();
  const { width, counts, sums, gram, labels } = view;
  const k = labels.indexOf(label);
  const refusal = neverIn(label, counts[k], removed.count);
  counts[k] -= removed.count;
  for (let j = 0; j < width; j++) sums[k * width + j] -= removed.sums[j];
  for (let i = 0; i < gram.length; i++) gram[i] -= removed.gram[i];
  if (counts[k] < 0) throw refusal;
  let trace = 0;
  for (let i = 0; i < width; i++) trace += gram[i * width + i];
  if (!(trace > 0)) {
    if (trace < 0 || gram.some((product) => product !== 0)) throw refusal;
    return;
  }
  const scatter = await withinClassScatter(view, context);
  try {
    // A scatter of few examples has directions without any; what rounding makes of those is far below one example's share.
    await choleskyFactor(scatter, width, context, (ROUNDING * trace) / width);
  } catch (cause) {
    if (cause instanceof ImprintError && cause.code === 'NOT_POSITIVE_DEFINITE') throw refusal;
    throw cause;
  }
}
