/**
 * How rare a strangeness is among learned examples: leave-one-out p-values.
 * Conformal anomaly detection (Laxhammar & Falkman 2015, equation 3; Vovk et al. 2005): under exchangeability a known
 * input's p-value is below a threshold no oftener than the threshold says.
 */

import type { FitContext, Memory } from '../head.ts';
import type { FittedNovelty } from './novelty.ts';

/**
 * Share of known inputs that a classifier calls unknown by default. Caltech-101 in DeiT-Tiny embeddings at 1, 2, 5, 10
 * and 20 examples a class: 0.1, 1.2, 2.8, 2.8 and 2.8 % of known photos fell below it, and 15, 72, 89, 90 and 92 % of
 * textures.
 */
export const DEFAULT_UNKNOWN_BELOW = 0.03;

/**
 * Examples that leave-one-out looks at for p-values, every k-th in canonical order: a thousand resolve p to .001; with
 * more than 512 classes fewer, so that examples x classes stays within 2^19, but no fewer than 256.
 */
const MOST_ROWS = 1024;
const LEAST_ROWS = 256;
const MOST_ENTRIES = 2 ** 19;
/**
 * Smallest tail scale, as a share of the median strangeness: examples that are all alike must not make every other
 * input unknown for rounding.
 */
const SMALLEST_TAIL = 0.02;

/** What learned examples look like to a novelty score fitted without them. */
export interface NoveltyReference {
  /** Float64Array, ascending: leave-one-out strangeness. */
  readonly strangeness: Float64Array;
  /** Scale of the exponential tail beyond the strangest example, in units of strangeness. */
  readonly tailScale: number;
}

/**
 * The reference for p-values of a fitted score. Examples alone in their class tell how strange another class looks, not
 * their own, so they serve only where every class has one example: then an input is unknown when it is stranger than
 * nearly every class is to the others.
 */
export async function noveltyReference(
  fitted: FittedNovelty,
  memory: Memory,
  context: FitContext,
): Promise<NoveltyReference> {
  const { numExamples, numClasses, classIndices, counts } = memory;
  const accompanied: number[] = [];
  for (let i = 0; i < numExamples; i++) if (counts[classIndices[i]] > 1) accompanied.push(i);
  const eligible = accompanied.length > 0 ? accompanied : Array.from({ length: numExamples }, (_, i) => i);
  const affordable = Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Math.floor(MOST_ENTRIES / numClasses)));
  const numRows = Math.min(eligible.length, affordable);
  const rows = Int32Array.from({ length: numRows }, (_, r) => eligible[Math.floor((r * eligible.length) / numRows)]);
  return referenceOf((await fitted.leaveOneOutMany?.(rows, context)) ?? fitted.leaveOneOut(rows));
}

/** The reference for p-values from leave-one-out strangeness in any order; the array is not kept. */
export function referenceOf(leaveOneOut: Float64Array): NoveltyReference {
  const strangeness = leaveOneOut.slice().sort();
  const n = strangeness.length;
  const median = n > 0 ? strangeness[n >> 1] : 1;
  // Mean excess over the median estimates an exponential tail's scale from half of the examples (Davison & Smith 1990).
  let excess = 0;
  for (let i = n >> 1; i < n; i++) excess += strangeness[i] - median;
  const meanExcess = n > 1 ? excess / (n - (n >> 1)) : Math.abs(median);
  return { strangeness, tailScale: Math.max(meanExcess, SMALLEST_TAIL * Math.abs(median), 1e-9) };
}

/**
 * p-values of queries:
 *
 *     p = (1 + #{examples at least as strange}) / (n + 1)
 *
 * and beyond the strangest example, where that count would stay at 1 / (n + 1) however strange the input,
 *
 *     p = exp(-(s - strangest) / tailScale) / (n + 1)
 *
 * so that a model of a few examples can call an input unknown, too.
 * @param strangeness Float64Array, numQueries
 * @param out Float64Array, numQueries, overwritten: from 0 to 1
 */
export function noveltyPValuesInto(
  { strangeness: known, tailScale }: NoveltyReference,
  strangeness: Float64Array,
  numQueries: number,
  out: Float64Array,
): void {
  const n = known.length;
  for (let i = 0; i < numQueries; i++) {
    const s = strangeness[i];
    let low = 0;
    let high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (known[middle] < s) low = middle + 1;
      else high = middle;
    }
    const beyond = n > 0 && s > known[n - 1] ? Math.exp(-(s - known[n - 1]) / tailScale) : 1;
    out[i] = ((1 + n - low) * beyond) / (n + 1);
  }
}
