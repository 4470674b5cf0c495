/** Finds lambda: the best of values that are given, or by secants of a loss that knows its slope; mostly one or two values. */

/** The logarithm of a loss with its slope in log10 lambda. */
export interface Expansion {
  readonly value: number;
  readonly slope: number;
}

export interface LambdaChoice {
  /** The chosen lambda, relative. */
  readonly lambda: number;
  /** How many values were compared; 0 where it was given. */
  readonly tried: number;
}

/** How lambda was found, to end a sentence about a head with. @param loss what was to be small */
export function choiceInWords({ lambda, tried }: LambdaChoice, loss: string): string {
  if (tried === 0) return `with the given lambda ${lambda}`;
  const value = lambda.toPrecision(2);
  return tried === 1
    ? `with lambda ${value}: no other promises much less ${loss}`
    : `with lambda ${value}, of ${tried} values tried the one with the least ${loss}`;
}

/** A searched lambda, relative to the mean diagonal, lies between these. */
const LOWEST = -4;
const HIGHEST = 2;
/** Where the search starts: 10^-1, close to where leave-one-out put it on every set measured. */
const START = 0.1;
/** Values that are tried at most. */
const MOST_TRIED = 8;
/**
 * Another lambda has to lower the loss by this share. Of many examples a value costs a factor that takes its time, and less says nothing
 * that other examples would confirm: on 26 sets of 70 to 2,020 examples (Caltech-101, Tiny ImageNet, clothing, PACS; the ridge
 * alone, leave-one-out) mean test accuracy is 81.15 % with 1.7 values tried, 0.6 % above the least loss, and 81.0 % by a grid of
 * tens and a parabola, with 5.7. Of few it costs milliseconds, and is worth 0.1 % of `auto`.
 */
const LEAST_GAIN = { few: 0.002, many: 0.01 };
/** Examples from which on they are many. */
const MANY = 512;
/**
 * The loss flattens out toward small lambda. Over lambda^0.3 it looks like a parabola: its lowest point is missed by half as much as
 * over log lambda.
 */
const POWER = 0.3;
/**
 * Curvature over a decade of lambda^0.3 at the start. There it was .24 to .47 on the sets above; asking for it chose no better than
 * taking it as this, and costs a solve.
 */
const CURVATURE = 0.25;
/**
 * The first step is one of these or two, in decades: states nearby then ask for the same two values, of which factors may be kept,
 * and two slopes close together would say little of what is between.
 */
const FIRST_STEP = 0.5;

/**
 * Steps of a searched lambda between two powers of two, and of the unit of its grid. Neighbouring states then mostly have the
 * same lambda, and share what was factored for it; 9 % more or less of it moves no loss by as much as one in a thousand.
 */
const LAMBDA_STEPS = 4;
const UNIT_STEPS = 1;

/** A unit on a coarse grid, and what brings a relative lambda onto a fine one of absolute values. */
export function lambdaGrid(unit: number): { readonly step: number; readonly rounded: (lambda: number) => number } {
  const step = nearestPower(unit, UNIT_STEPS);
  return { step, rounded: (lambda) => nearestPower(lambda * step, LAMBDA_STEPS) / step };
}

/** The nearest power of `2^(1 / steps)`. */
function nearestPower(value: number, steps: number): number {
  return 2 ** (Math.round(Math.log2(value) * steps) / steps);
}

/**
 * The lowest points of parabolas over lambda^0.3, from 10^-1. It ends where the parabola promises too little; steps are no longer than a
 * power of ten and never leave 10^-4 to 10^2.
 * @param loss of a relative lambda, called once a value
 * @param at the nearest value that a system is made for
 */
export async function searchLambda(
  loss: (lambda: number) => Promise<Expansion>,
  at: (lambda: number) => number,
  numExamples: number,
): Promise<LambdaChoice> {
  const leastGain = numExamples < MANY ? LEAST_GAIN.few : LEAST_GAIN.many;
  let [low, high] = [LOWEST, HIGHEST];
  let lambda = at(START);
  let here = await loss(lambda);
  let curvature = CURVATURE;
  let best = { lambda, value: here.value };
  const seen = new Set([lambda]);
  for (;;) {
    const x = Math.log10(lambda);
    // Too little lambda to leave an example out of: up.
    const slope = here.value < Infinity ? here.slope : -Infinity;
    if (slope > 0) high = Math.min(high, x);
    else low = Math.max(low, x);
    const isParabola = curvature > 0 && slope > -Infinity;
    const ideal = isParabola ? decades(-slope / curvature) : slope > 0 ? -1 : 1;
    const size = seen.size === 1 ? FIRST_STEP * Math.max(1, Math.round(Math.abs(ideal) / FIRST_STEP)) : Math.abs(ideal);
    const step = Math.sign(ideal) * Math.min(1, size);
    const gain = isParabola ? (slope * slope) / (2 * curvature) : Infinity;
    let next = at(10 ** Math.min(high, Math.max(low, x + step)));
    if (seen.has(next) && gain >= leastGain) next = at(10 ** ((low + high) / 2));
    if (slope === 0 || gain < leastGain || seen.has(next) || seen.size === MOST_TRIED) {
      return { lambda: best.lambda, tried: seen.size };
    }
    seen.add(next);
    const there = await loss(next);
    const isSecant = slope > -Infinity && there.value < Infinity;
    curvature = isSecant ? secantCurvature(lambda, slope, next, there.slope) : NaN;
    [lambda, here] = [next, there];
    if (there.value <= best.value) best = { lambda, value: there.value };
  }
}

/** How fast `lambda^POWER` grows with log10 lambda, relative to itself. Slopes and curvatures here are relative too, a decade each. */
const PER_DECADE = POWER * Math.LN10;

/** A step of `lambda^POWER`, in units of PER_DECADE of itself, in decades of lambda. */
function decades(step: number): number {
  const grown = 1 + PER_DECADE * step;
  return grown > 0 ? Math.log(grown) / PER_DECADE : -Infinity;
}

/** Curvature at `there` from slopes at two places. */
function secantCurvature(here: number, slope: number, there: number, slopeThere: number): number {
  const ratio = (here / there) ** POWER;
  return (PER_DECADE * (slopeThere - slope / ratio)) / (1 - ratio);
}

/** The value with the least loss of those given, the larger of equals. @param lambdas relative, at least one */
export async function bestLambda(
  lambdas: readonly number[],
  loss: (lambda: number) => Promise<number>,
): Promise<LambdaChoice> {
  let lambda = lambdas[0];
  let least = Infinity;
  for (const one of [...lambdas].sort((a, b) => b - a)) {
    const value = await loss(one);
    if (value < least) [lambda, least] = [one, value];
  }
  return { lambda, tried: lambdas.length > 1 ? lambdas.length : 0 };
}
