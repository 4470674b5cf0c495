/** Finds lambda on a logarithmic grid by a score to be made small, with few solves, and moves smoothly between grid points. */

/** Grid of lambda relative to the mean diagonal: 10^-4 to 10^1.5 in steps of 10^0.5. */
const STEPS = 12;
const lambdaAt = (step: number): number => 10 ** (step / 2 - 4);
/** Where the search starts: 10^-1, close to where leave-one-out put it on every set measured. */
const START = 6;

export interface LambdaChoice {
  /** The chosen lambda, relative. */
  readonly lambda: number;
  /** How many values were tried. */
  readonly tried: number;
}

/**
 * Walks down the grid from its start and then takes the lowest point of the parabola through the best value and its two
 * neighbours in log lambda, so that a little more evidence moves lambda a little. Equal values prefer the larger lambda.
 * @param loss called once a grid point; smaller is better
 */
export async function searchLambda(loss: (lambda: number) => Promise<number>): Promise<LambdaChoice> {
  const known = new Map<number, number>();
  const at = async (step: number): Promise<number> => {
    if (step < 0 || step >= STEPS) return Infinity;
    let value = known.get(step);
    if (value === undefined) known.set(step, (value = await loss(lambdaAt(step))));
    return value;
  };
  let best = START;
  const direction = (await at(best + 1)) <= (await at(best)) ? 1 : -1;
  while (direction === 1 ? (await at(best + 1)) <= (await at(best)) : (await at(best - 1)) < (await at(best))) {
    if (best + direction < 0 || best + direction >= STEPS) break;
    best += direction;
  }
  const [left, middle, right] = [await at(best - 1), await at(best), await at(best + 1)];
  const curvature = left - 2 * middle + right;
  const shift = curvature > 0 && curvature < Infinity ? (left - right) / (2 * curvature) : 0;
  return { lambda: lambdaAt(best + Math.max(-0.5, Math.min(0.5, shift))), tried: known.size };
}
