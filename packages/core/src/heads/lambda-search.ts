/** Finds lambda: of values that are given, or on a logarithmic grid by a score to be made small, with few solves, and moves smoothly between grid points. */

/** Grid of lambda relative to the mean diagonal: 10^-4 to 10^2 by tens; the loss is smooth enough for a parabola between. */
export const SEARCH_STEPS = 7;
export const lambdaAt = (step: number): number => 10 ** (step - 4);
/** A smaller lambda has to lower the loss by this share: below, less shrinkage gains nothing that another sample would show. */
export const LEAST_GAIN = 1e-3;
/** Where the search starts: 10^-1, close to where leave-one-out put it on every set measured. */
export const START = 3;

export interface LambdaChoice {
  /** The chosen lambda, relative. */
  readonly lambda: number;
  /** How many values were tried. */
  readonly tried: number;
}

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
 * Walks down the grid from its start and then takes the lowest point of the parabola through the best value and its two
 * neighbours in log lambda, so that a little more evidence moves lambda a little. Of about equal values the larger lambda is taken.
 * @param loss called once a grid point; smaller is better
 * @param rounded the nearest value that a system is made for
 */
export async function searchLambda(
  loss: (lambda: number) => Promise<number>,
  rounded = (lambda: number): number => lambda,
): Promise<LambdaChoice> {
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
  return { lambda: rounded(lambdaAt(best + Math.max(-0.5, Math.min(0.5, shift)))), tried: known.size };
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
