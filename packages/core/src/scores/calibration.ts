/**
 * Confidence that means what it says: softmax of scores over a temperature fitted on leave-one-out scores,
 *
 *     p_k = exp(s_k / (t sqrt(spread))) / sum,   spread the root mean square deviation of this query's scores.
 *
 * Dividing by the root of a query's own spread, half way between raw and standardised scores, lowered the expected
 * calibration error of the default head on all seven sets and shots tried (mean .044 to .039). Guo et al. 2017 (On
 * Calibration of Modern Neural Networks), section 4.2, with leave-one-out scores instead of a held-out set. Targets are
 * softened as by Platt 1999 (Probabilistic Outputs for Support Vector Machines), and the temperature has a weak prior,
 * so that it stays away from 0 where leave-one-out makes no mistake, and is defined where leave-one-out is not (one
 * example a class).
 */

import { expected } from '../errors.ts';
import type { FitContext } from '../head.ts';
import { newton } from './newton.ts';

/** Prior temperature over that of the random energy model. */
const PRIOR_FACTOR = 2.2;
/** The search covers this many natural-log units either side of the prior. */
const SEARCH_REACH = 8;
/** Scores that the fit looks at, at some 3 temperatures. */
const MOST_ENTRIES = 2 ** 18;
/** Of them, scores that say where to start, at some 22 temperatures, and the fewest rows that do. */
const MOST_COARSE = 2 ** 11;
const LEAST_COARSE_ROWS = 16;
/** exp(-40) is 4e-18: too little to change a sum that holds a 1. */
const NEGLIGIBLE = -40;

/**
 * The temperature that makes leave-one-out scores likeliest, each class weighing alike:
 *
 *     minimise over t   - n mean_k c_k mean_{i in k} sum_j y_ij log softmax(s_i / (t sqrt(spread_i)))_j + (log t - log t0)^2 / 2
 *     y_ij = (1 - e) [j = class i] + e / numClasses,   e = 1 / (n + 2),   c_k = max(0, n_k - 2) / n_k
 *
 * `t0 = 2.2 spread / sqrt(2 log numClasses)`, in scores over the root of their own spread: the temperature at which the
 * highest of that many Gaussian scores begins to outweigh all others together (Derrida 1981, the random energy model),
 * times what fitted best at one example a class (cosine and kernel ridge scores, five sets of DeiT-Tiny embeddings of 7
 * to 200 classes: 1.1 to 2.9). `c_k` is how far a class's leave-one-out is believed: it sets n_k - 1 examples of the
 * right class against n_k of the others, which at two examples made good classifiers look like bad ones (expected
 * calibration error at two shots, PACS and clothing: .22 and .20 without it).
 * @param scores Float64Array, rows.length x numClasses, row-major, leave-one-out; the row of a class's only example is
 *   not used but for its spread, and entries that are not finite count as impossible
 * @param classIndices Int32Array, numExamples
 * @param rows Int32Array: the example of each row of `scores`, where scores cover some examples only
 * @returns a finite positive number; 1 where there is nothing to compare (one class, or no spread)
 * @throws INVALID_ARGUMENT for a NaN
 */
export async function fitTemperature(
  scores: Float64Array,
  classIndices: Int32Array,
  numExamples: number,
  numClasses: number,
  rows: Int32Array = Int32Array.from(classIndices.keys()),
  { yieldToHost }: Pick<FitContext, 'yieldToHost'> = {},
  trust?: number,
): Promise<number> {
  const { used, weights } = trustedRows(classIndices, numExamples, numClasses, rows, trust);
  const numUsed = used.length;
  const scales = Float64Array.from(used, (r) => rootSpread(scores, r * numClasses, numClasses));
  const prior = priorTemperature(scales, numClasses);
  if (prior === undefined) return 1;
  const softening = 1 / (numUsed + 2);
  const rowAt = (u: number): SoftenedRow => ({
    scores,
    at: used[u] * numClasses,
    numClasses,
    classIndex: classIndices[rows[used[u]]],
    scale: scales[u] || 1,
    softening,
  });
  /** Loss, slope and curvature in log t, over every `step`-th row. */
  const lossAt = async (logTemperature: number, step: number): Promise<Expansion> => {
    await yieldToHost?.();
    const inverse = Math.exp(-logTemperature);
    const offset = logTemperature - Math.log(prior);
    const sum = { value: 0, slope: 0, curvature: 0 };
    for (let u = 0; u < numUsed; u += step) {
      if (weights[u] !== 0) addSoftenedLoss(rowAt(u), inverse, weights[u] * step, sum);
    }
    sum.value += (offset * offset) / 2;
    sum.slope += offset;
    sum.curvature += 1;
    return sum;
  };
  const coarseRows = Math.max(LEAST_COARSE_ROWS, Math.floor(MOST_COARSE / numClasses));
  const step = Math.max(1, Math.floor(numUsed / coarseRows));
  const low = Math.log(prior) - SEARCH_REACH;
  const high = Math.log(prior) + SEARCH_REACH;
  const coarse = (x: number): Promise<Expansion> => lossAt(x, step);
  const start = await newton(coarse, await coarseMinimum(coarse, low, high), low, high);
  return Math.exp(step === 1 ? start : await newton((x) => lossAt(x, 1), start, low, high));
}

/**
 * The rows of leave-one-out scores that calibration reads, evenly spread and at most 2^18 numbers, and how much each
 * counts: classes alike, times `c_k`; 0 where a class has fewer than three examples.
 * @param rows Int32Array: the example of each row of scores
 * @param trust `c_k` of every class, where it is not by `classIndices`
 */
export function trustedRows(
  classIndices: Int32Array,
  numExamples: number,
  numClasses: number,
  rows: Int32Array,
  trust?: number,
): { readonly used: Int32Array; readonly weights: Float64Array } {
  const counts = countsOf(classIndices.subarray(0, numExamples), numClasses);
  const numUsed = Math.min(rows.length, Math.max(1, Math.floor(MOST_ENTRIES / numClasses)));
  const used = Int32Array.from({ length: numUsed }, (_, u) => Math.floor((u * rows.length) / numUsed));
  const usedCounts = countsOf(
    used.map((r) => classIndices[rows[r]]),
    numClasses,
  );
  let numClassesUsed = 0;
  for (let k = 0; k < numClasses; k++) if (usedCounts[k] > 0) numClassesUsed++;
  const weights = Float64Array.from(used, (r) => {
    const k = classIndices[rows[r]];
    const trusted = trust ?? (counts[k] > 2 ? (counts[k] - 2) / counts[k] : 0);
    return (trusted * numUsed) / (numClassesUsed * usedCounts[k]);
  });
  return { used, weights };
}

function countsOf(classIndices: Int32Array, numClasses: number): Int32Array {
  const counts = new Int32Array(numClasses);
  for (const k of classIndices) counts[k]++;
  return counts;
}

/**
 * `t0`, from rows of scores and the scales that go with them; undefined where no row has two classes to compare, or no
 * spread.
 */
function priorTemperature(scales: Float64Array, numClasses: number): number | undefined {
  let squares = 0;
  let terms = 0;
  for (const scale of scales) {
    if (scale === 0) continue;
    // Scores of this spread, over this scale, spread by the scale.
    squares += scale * scale;
    terms++;
  }
  if (terms === 0) return undefined;
  return (PRIOR_FACTOR * Math.sqrt(squares / terms)) / Math.sqrt(2 * Math.log(numClasses));
}

/** Square root of the root mean square deviation of a row's finite scores; 0 where they do not differ. */
function rootSpread(scores: Float64Array, at: number, numClasses: number): number {
  let lowest = Infinity;
  let highest = -Infinity;
  let finite = 0;
  for (let k = at; k < at + numClasses; k++) {
    const s = scores[k];
    if (Number.isNaN(s)) throw expected(`scores[${k}]`, 'a number', s, 'The head cannot be calibrated.');
    if (!Number.isFinite(s)) continue;
    if (s < lowest) lowest = s;
    if (s > highest) highest = s;
    finite++;
  }
  const range = highest - lowest;
  if (!(range > 0 && range < Infinity)) return 0;
  // Over the range, so that nothing overflows.
  let mean = 0;
  let squares = 0;
  for (let k = at; k < at + numClasses; k++) if (Number.isFinite(scores[k])) mean += (scores[k] - lowest) / range;
  mean /= finite;
  for (let k = at; k < at + numClasses; k++) {
    if (Number.isFinite(scores[k])) squares += ((scores[k] - lowest) / range - mean) ** 2;
  }
  return Math.sqrt(range * Math.sqrt(squares / finite));
}

interface SoftenedRow {
  readonly scores: Float64Array;
  /** Where the row begins. */
  readonly at: number;
  readonly numClasses: number;
  readonly classIndex: number;
  readonly scale: number;
  readonly softening: number;
}

/** A function with its first two derivatives. */
interface Expansion {
  value: number;
  slope: number;
  curvature: number;
}

/**
 * Adds the cross-entropy of one row's softmax over `1 / inverse` against its softened target, and its derivatives in the log of
 * the temperature: with z the exponents, `dz / d log t = -z`. Impossible classes carry no target.
 */
function addSoftenedLoss(row: SoftenedRow, inverse: number, weight: number, sum: Expansion): void {
  const { scores, at, numClasses, classIndex, scale, softening } = row;
  const target = scores[at + classIndex];
  if (target === -Infinity) return;
  let highest = -Infinity;
  for (let k = at; k < at + numClasses; k++) if (scores[k] > highest) highest = scores[k];
  const factor = inverse / scale;
  let total = 0;
  let first = 0;
  let second = 0;
  let linear = 0;
  let possible = 0;
  for (let k = at; k < at + numClasses; k++) {
    const s = scores[k];
    if (s === -Infinity) continue;
    const z = (s - highest) * factor;
    linear += z;
    possible++;
    if (!(z > NEGLIGIBLE)) continue;
    const e = Math.exp(z);
    total += e;
    first += e * z;
    second += e * z * z;
  }
  const mean = first / total;
  const wanted = (1 - softening) * (target - highest) * factor + (softening * linear) / possible;
  sum.value += weight * (Math.log(total) - wanted);
  sum.slope += weight * (wanted - mean);
  sum.curvature += weight * (mean - wanted + second / total - mean * mean);
}

/** The lowest of a grid of 17 over [low, high]. */
async function coarseMinimum(f: (x: number) => Promise<Expansion>, low: number, high: number): Promise<number> {
  let best = low;
  let lowest = Infinity;
  for (let cell = 0; cell <= 16; cell++) {
    const x = low + (cell * (high - low)) / 16;
    const { value } = await f(x);
    if (value < lowest) [lowest, best] = [value, x];
  }
  return best;
}

/**
 * Softmax of each query's scores over `temperature` and the root of their spread; the largest is taken off first, so
 * nothing overflows.
 * @param scores Float64Array, numQueries x numClasses, row-major
 * @param out Float64Array, numQueries x numClasses, overwritten: rows sum to 1; may be `scores` itself
 */
export function probabilitiesInto(
  scores: Float64Array,
  numQueries: number,
  numClasses: number,
  temperature: number,
  out: Float64Array,
): void {
  for (let i = 0; i < numQueries; i++) {
    const at = i * numClasses;
    const scale = temperature * (rootSpread(scores, at, numClasses) || 1);
    let highest = -Infinity;
    for (let k = 0; k < numClasses; k++) if (scores[at + k] > highest) highest = scores[at + k];
    let total = 0;
    for (let k = 0; k < numClasses; k++) {
      const p = Math.exp((scores[at + k] - highest) / scale);
      out[at + k] = p;
      total += p;
    }
    for (let k = 0; k < numClasses; k++) out[at + k] /= total;
  }
}
