/** How well a strangeness score tells unknown inputs from known ones: AUROC, FPR95, histograms. Higher is stranger. */

import { expected } from '../errors.ts';

/**
 * Probability that an unknown input is stranger than a known one, ties counted half: the area under the ROC curve,
 * by ranks (Hanley & McNeil 1982; the Mann-Whitney statistic divided by `numKnown * numUnknown`).
 * @param known Float64Array, strangeness of known inputs
 * @param unknown Float64Array, strangeness of unknown inputs
 * @returns from 0 to 1; null where either is empty
 * @throws INVALID_ARGUMENT for a NaN
 */
export function auroc(known: Float64Array, unknown: Float64Array): number | null {
  const a = sorted(known, 'known');
  const b = sorted(unknown, 'unknown');
  if (a.length === 0 || b.length === 0) return null;
  // Counted in halves, so that the sum is an exact integer.
  let halves = 0;
  let below = 0;
  let upTo = 0;
  for (let j = 0; j < b.length; j++) {
    while (below < a.length && a[below] < b[j]) below++;
    if (upTo < below) upTo = below;
    while (upTo < a.length && a[upTo] <= b[j]) upTo++;
    halves += below + upTo;
  }
  return halves / (2 * a.length * b.length);
}

/**
 * Share of unknown inputs that pass as known when the threshold lets 95 % of the known ones pass (known is the positive
 * class, as in OpenOOD): the threshold is the smallest known strangeness with at least 95 % of the known at or below
 * it.
 * @returns from 0 to 1, lower is better; null where either is empty
 * @throws INVALID_ARGUMENT for a NaN
 */
export function fpr95(known: Float64Array, unknown: Float64Array): number | null {
  const a = sorted(known, 'known');
  const b = sorted(unknown, 'unknown');
  if (a.length === 0 || b.length === 0) return null;
  const threshold = a[Math.ceil((95 * a.length) / 100) - 1];
  let passed = 0;
  while (passed < b.length && b[passed] <= threshold) passed++;
  return passed / b.length;
}

export interface StrangenessHistogram {
  /** numBins + 1 ascending edges. */
  readonly edges: readonly number[];
  /** Known inputs in each bin. */
  readonly known: readonly number[];
  /** Unknown inputs in each bin. */
  readonly unknown: readonly number[];
}

/** Counts of known and unknown inputs over one common range of strangeness; null where both are empty. */
export function strangenessHistogram(
  known: Float64Array,
  unknown: Float64Array,
  numBins = 40,
): StrangenessHistogram | null {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const values of [known, unknown]) {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) throw expected('strangeness', 'finite numbers', values[i]);
      if (values[i] < lowest) lowest = values[i];
      if (values[i] > highest) highest = values[i];
    }
  }
  if (lowest > highest) return null;
  const width = (highest - lowest) / numBins || 1 / numBins;
  const count = (values: Float64Array): number[] => {
    const bins = new Array<number>(numBins).fill(0);
    for (let i = 0; i < values.length; i++) bins[Math.min(numBins - 1, Math.floor((values[i] - lowest) / width))]++;
    return bins;
  };
  const edges = Array.from({ length: numBins + 1 }, (_, i) => lowest + i * width);
  return { edges, known: count(known), unknown: count(unknown) };
}

function sorted(values: Float64Array, name: string): Float64Array {
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) throw expected(`${name}[${i}]`, 'a number', values[i]);
  }
  return values.slice().sort();
}
