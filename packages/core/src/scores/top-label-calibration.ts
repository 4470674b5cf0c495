/**
 * Calibrates what a person reads: the probability of the likeliest class. One temperature fits all classes at once and can be
 * too sure at the top while too modest below; a slope on the log-odds of the likeliest class mends that.
 * Platt 1999 on the top label alone, as Gupta & Ramdas 2022 (Top-label calibration) argue it should be. Where we differ: only the
 * slope is fitted to which leave-one-out answers were right. The offset keeps the mean confidence that the temperature gave,
 * since leave-one-out is right less often than the model that keeps every example.
 *
 * Expected calibration error of the default head with the temperature alone, then with the slope, at 5 and 20 examples a
 * class: Caltech-101 .037 and .034, then .015 and .017; Tiny ImageNet (5 and 10) .047 and .067, then .013 and .027. With few classes
 * the slope stays near 1.
 */

import type { FitContext } from '../head.ts';
import { argmax } from '../heads/leave-one-out.ts';
import { fitTemperature, probabilitiesInto, trustedRows } from './calibration.ts';
import { newton, type Derivatives } from './newton.ts';

export interface Calibration {
  /** What `fitTemperature` gives. */
  readonly temperature: number;
  /** Factor of the likeliest class's log-odds, about 1. */
  readonly slope: number;
  /** Added to them. */
  readonly offset: number;
}

/** Standard deviation of the slope's prior about 1: a few hundred examples move it. */
const SLOPE_SPREAD = 0.1;
const LEAST_SLOPE = 0.3;
const MOST_SLOPE = 3;
/** The offset is found to this, in some 3 steps from that of the slope before. */
const OFFSET_PRECISION = 1e-9;
const MOST_OFFSETS = 60;
/** The likeliest class stays this share above the second where calibration would put it below: never level, which rounding turns. */
const AHEAD = 1e-9;
/** Log-odds beyond this say no more than certainty: 1 in a million. */
const CERTAIN = 13.8;

/**
 * Temperature, slope and offset from leave-one-out scores:
 *
 *     minimise over a   - sum_i w_i log p(right_i; a) + (a - 1)^2 / (2 * 0.1^2),   p = logistic(a log-odds_i + b(a))
 *
 * w the weights of `trustedRows`, b(a) the offset at which mean p stays what it was. Parameters as of `fitTemperature`.
 * @throws INVALID_ARGUMENT for a NaN
 */
export async function fitCalibration(
  scores: Float64Array,
  classIndices: Int32Array,
  numExamples: number,
  numClasses: number,
  rows: Int32Array = Int32Array.from(classIndices.keys()),
  context: Pick<FitContext, 'yieldToHost'> = {},
  trust?: number,
): Promise<Calibration> {
  const temperature = await fitTemperature(scores, classIndices, numExamples, numClasses, rows, context, trust);
  const { used, weights: all } = trustedRows(classIndices, numExamples, numClasses, rows, trust);
  const kept = Int32Array.from(used.keys()).filter((u) => all[u] > 0);
  if (kept.length === 0 || numClasses === 1) return { temperature, slope: 1, offset: 0 };

  const weights = Float64Array.from(kept, (u) => all[u]);
  const right = new Uint8Array(kept.length);
  const row = new Float64Array(numClasses);
  const logOdds = Float64Array.from(kept, (u, at) => {
    const start = used[u] * numClasses;
    probabilitiesInto(scores.subarray(start, start + numClasses), 1, numClasses, temperature, row);
    const top = argmax(row, 0, numClasses);
    right[at] = top === classIndices[rows[used[u]]] ? 1 : 0;
    return clampedLogOdds(row[top]);
  });
  let mass = 0;
  for (let i = 0; i < kept.length; i++) mass += weights[i] * logistic(logOdds[i]);

  const fit: SlopeFit = { logOdds, weights, right, mass };
  let offset = 0;
  const lossAt = async (slope: number): Promise<Derivatives> => {
    await context.yieldToHost?.();
    offset = offsetOf(fit, slope, offset);
    return derivativesAt(fit, slope, offset);
  };
  // At 1, where the prior is, the offset is 0.
  const slope = await newton(lossAt, 1, LEAST_SLOPE, MOST_SLOPE);
  return { temperature, slope, offset: offsetOf(fit, slope, offset) };
}

/** What the slope is fitted to, row by row. */
interface SlopeFit {
  readonly logOdds: Float64Array;
  readonly weights: Float64Array;
  /** 1 where the likeliest class is the right one. */
  readonly right: Uint8Array;
  /** `sum_i w_i p_i` that the offset keeps. */
  readonly mass: number;
}

/** b(a), by Newton's steps from `start`, halving where they leave what brackets it. */
function offsetOf({ logOdds, weights, mass }: SlopeFit, slope: number, start: number): number {
  let [offset, low, high] = [start, -CERTAIN * MOST_SLOPE, CERTAIN * MOST_SLOPE];
  for (let steps = 0; steps < MOST_OFFSETS; steps++) {
    let sum = -mass;
    let slopeOfSum = 0;
    for (let i = 0; i < logOdds.length; i++) {
      const p = logistic(slope * logOdds[i] + offset);
      sum += weights[i] * p;
      slopeOfSum += weights[i] * p * (1 - p);
    }
    if (sum < 0) low = offset;
    else high = offset;
    const step = offset - sum / slopeOfSum;
    const next = step >= low && step <= high ? step : (low + high) / 2;
    if (!(Math.abs(next - offset) > OFFSET_PRECISION)) return next;
    offset = next;
  }
  return offset;
}

/**
 * Slope and curvature of the loss above at `slope`, along b(a): with v_i = w_i p_i (1 - p_i) and averages weighted by v,
 * `b' = - mean x` and `b'' = - mean (1 - 2 p) (x + b')^2`, x the log-odds.
 */
function derivativesAt({ logOdds, weights, right }: SlopeFit, slope: number, offset: number): Derivatives {
  // Not 0, should all be certain.
  let total = Number.MIN_VALUE;
  let first = 0;
  for (let i = 0; i < logOdds.length; i++) {
    const p = logistic(slope * logOdds[i] + offset);
    const v = weights[i] * p * (1 - p);
    total += v;
    first += v * logOdds[i];
  }
  const mean = first / total;
  let along = 0;
  let excess = 0;
  let squares = 0;
  let bend = 0;
  for (let i = 0; i < logOdds.length; i++) {
    const p = logistic(slope * logOdds[i] + offset);
    const x = logOdds[i] - mean;
    const tooSure = weights[i] * (p - right[i]);
    const square = weights[i] * p * (1 - p) * x * x;
    along += tooSure * x;
    excess += tooSure;
    squares += square;
    bend -= (1 - 2 * p) * square;
  }
  const precision = 1 / SLOPE_SPREAD ** 2;
  return {
    slope: along + (slope - 1) * precision,
    curvature: squares + (bend / total) * excess + precision,
  };
}

/**
 * Calibrated probabilities: those of the temperature, the likeliest class's log-odds times `slope` plus `offset`, the others
 * in proportion. The order of classes stays; the likeliest is never put below the second.
 * @param scores Float64Array, numQueries x numClasses, row-major
 * @param out Float64Array, numQueries x numClasses, overwritten: rows sum to 1; may be `scores` itself
 */
export function calibratedProbabilitiesInto(
  scores: Float64Array,
  numQueries: number,
  numClasses: number,
  { temperature, slope, offset }: Calibration,
  out: Float64Array,
): void {
  // By scores, before `out` may overwrite them: probabilities round scores that nearly tie to one number.
  const tops = new Int32Array(numQueries);
  for (let i = 0; i < numQueries; i++) tops[i] = argmax(scores, i * numClasses, numClasses);
  probabilitiesInto(scores, numQueries, numClasses, temperature, out);
  if (numClasses === 1 || (slope === 1 && offset === 0)) return;
  for (let i = 0; i < numQueries; i++) {
    const at = i * numClasses;
    const top = tops[i];
    let second = 0;
    let rest = 0;
    for (let k = at; k < at + numClasses; k++) {
      if (k === at + top) continue;
      rest += out[k];
      if (out[k] > second) second = out[k];
    }
    // Certain but for rounding: there is nothing to share out.
    if (rest < 1e-9) continue;
    const wanted = logistic(slope * clampedLogOdds(out[at + top]) + offset);
    const least = (second / (rest + second)) * (1 + AHEAD);
    const probability = wanted > least ? wanted : least;
    const factor = (1 - probability) / rest;
    for (let k = at; k < at + numClasses; k++) out[k] *= factor;
    out[at + top] = probability;
  }
}

function clampedLogOdds(probability: number): number {
  const value = Math.log(probability / (1 - probability));
  return value > CERTAIN ? CERTAIN : value < -CERTAIN ? -CERTAIN : value;
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
