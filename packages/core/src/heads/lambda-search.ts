/** Finds lambda: of values that are given, or on a logarithmic grid by a score to be made small, with few solves, and moves smoothly between grid points. */

/** Grid of lambda relative to the mean diagonal: 10^-4 to 10^2 by tens; the loss is smooth enough for a parabola between. */
export const SEARCH_STEPS = 7;
const lambdaAt = (step: number): number => 10 ** (step - 4);
/** A smaller lambda has to lower the loss by this share: below, less shrinkage gains nothing that another sample would show. */
const LEAST_GAIN = 1e-3;
/** Where the search starts: 10^-1, close to where leave-one-out put it on every set measured. */
const START = 3;

export interface LambdaChoice {
  /** The chosen lambda, relative. */
  readonly lambda: number;
  /** How many values were tried. */
  readonly tried: number;
}

/**
 * Walks down the grid from its start and then takes the lowest point of the parabola through the best value and its two
 * neighbours in log lambda, so that a little more evidence moves lambda a little. Of about equal values the larger lambda is taken.
 * @param loss called once a grid point; smaller is better
 */
export async function searchLambda(loss: (lambda: number) => Promise<number>): Promise<LambdaChoice> {
  const known = new Map<number, number>();
  const at = async (step: number): Promise<number> => {
    if (step < 0 || step >= SEARCH_STEPS) return Infinity;
    let value = known.get(step);
    if (value === undefined) known.set(step, (value = await loss(lambdaAt(step))));
    return value;
  };
  const better = async (next: number, than: number): Promise<boolean> =>
    next > than ? (await at(next)) <= (await at(than)) : (await at(next)) < (await at(than)) * (1 - LEAST_GAIN);
  let best = START;
  const direction = (await better(best + 1, best)) ? 1 : -1;
  while (best + direction >= 0 && best + direction < SEARCH_STEPS && (await better(best + direction, best)))
    best += direction;
  const [left, middle, right] = [await at(best - 1), await at(best), await at(best + 1)];
  const curvature = left - 2 * middle + right;
  const shift = curvature > 0 && curvature < Infinity ? (left - right) / (2 * curvature) : 0;
  return { lambda: lambdaAt(best + Math.max(-0.5, Math.min(0.5, shift))), tried: known.size };
}

/** A loss and its slope in log10 lambda. */
export interface Expansion {
  readonly value: number;
  readonly slope: number;
}

/**
 * The same grid with slopes, which say which way to go: two values mostly, with the lowest point of the cubic through both and
 * their slopes (Hermite).
 * @param loss called once a grid point
 */
export async function searchLambdaBySlope(loss: (lambda: number) => Promise<Expansion>): Promise<LambdaChoice> {
  let step = START;
  let here = await loss(lambdaAt(step));
  let tried = 1;
  const direction = here.slope > 0 ? -1 : 1;
  for (;;) {
    const next = step + direction;
    if (next < 0 || next >= SEARCH_STEPS) return { lambda: lambdaAt(step), tried };
    const there = await loss(lambdaAt(next));
    tried++;
    // Down only for a gain that another sample would show.
    const wanted = direction < 0 ? here.value * (1 - LEAST_GAIN) : here.value;
    const better = there.value < wanted;
    if (better && there.slope * direction < 0) {
      [step, here] = [next, there];
      continue;
    }
    const way = lowestOfCubic(here.value, here.slope * direction, there.value, there.slope * direction);
    return { lambda: lambdaAt(step + direction * (way ?? (better ? 1 : 0))), tried };
  }
}

/**
 * Where on [0, 1] the cubic with values a and b and slopes p and q at its ends is lowest; undefined where that is neither falling at
 * first nor rising at last.
 */
function lowestOfCubic(a: number, p: number, b: number, q: number): number | undefined {
  if (!(p < 0 && q > 0 && b < Infinity)) return undefined;
  // Nocedal and Wright, Numerical Optimization, equation 3.59.
  const d = p + q - 3 * (b - a);
  const root = Math.sqrt(Math.max(0, d * d - p * q));
  return Math.min(1, Math.max(0, 1 - (q + root - d) / (q - p + 2 * root)));
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
  return { lambda, tried: lambdas.length };
}
