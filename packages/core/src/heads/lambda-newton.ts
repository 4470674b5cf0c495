/** Finds lambda for losses that know their slope: mostly two values. */

import { lambdaAt, LEAST_GAIN, SEARCH_STEPS, START, type LambdaChoice } from './lambda-search.ts';

/** The logarithm of a loss with its slope and, where it was asked for, its curvature in log10 lambda. */
export interface Expansion {
  readonly value: number;
  readonly slope: number;
  readonly curvature?: number;
}

/** Values that are tried at most. */
const MOST_TRIED = 8;

/**
 * Newton's steps from 10^-1 for losses that know their slope: mostly two values, the second of which is taken. It ends where the
 * parabola promises less than one in a thousand, and never leaves 10^-4 to 10^2.
 * @param loss of a relative lambda, called once a value; with curvature for the first
 * @param at the nearest value that a system is made for
 */
export async function searchLambdaByNewton(
  loss: (lambda: number, withCurvature: boolean) => Promise<Expansion>,
  at: (lambda: number) => number,
): Promise<LambdaChoice> {
  let [low, high] = [Math.log10(lambdaAt(0)), Math.log10(lambdaAt(SEARCH_STEPS - 1))];
  let lambda = at(lambdaAt(START));
  let here = await loss(lambda, true);
  let curvature = here.curvature ?? NaN;
  let best = { lambda, value: here.value };
  const seen = new Set([lambda]);
  for (;;) {
    const x = Math.log10(lambda);
    // Too little lambda to leave an example out of: up.
    const slope = here.value < Infinity ? here.slope : -Infinity;
    if (slope > 0) high = Math.min(high, x);
    else low = Math.max(low, x);
    const isNewton = curvature > 0 && slope > -Infinity;
    const step = isNewton ? -slope / curvature : slope > 0 ? -1 : 1;
    const gain = isNewton ? (slope * slope) / (2 * curvature) : Infinity;
    let next = at(10 ** Math.min(high, Math.max(low, x + Math.min(1, Math.max(-1, step)))));
    if (seen.has(next) && gain >= LEAST_GAIN) next = at(10 ** ((low + high) / 2));
    if (slope === 0 || gain < LEAST_GAIN || seen.has(next) || seen.size === MOST_TRIED) {
      return { lambda: best.lambda, tried: seen.size };
    }
    seen.add(next);
    const there = await loss(next, false);
    // The secant of slopes tells the curvature between the two.
    const isSecant = slope > -Infinity && there.value < Infinity;
    curvature = isSecant ? (there.slope - slope) / (Math.log10(next) - x) : NaN;
    [lambda, here] = [next, there];
    if (there.value <= best.value) best = { lambda, value: there.value };
  }
}
