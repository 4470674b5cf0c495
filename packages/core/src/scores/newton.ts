/** Newton's steps to the lowest point of a function of one variable, for functions that let the host take turns. */

/** The first two derivatives of a function at a point. */
export interface Derivatives {
  readonly slope: number;
  readonly curvature: number;
}

/** The last step is at most this: what is left after it is of the order of its square. */
const PRECISION = 1e-4;
const MOST_STEPS = 60;

/** The lowest point near `start` of a function with one dip over [low, high]: Newton's steps, halving where they leave the dip. */
export async function newton(
  f: (x: number) => Promise<Derivatives>,
  start: number,
  low: number,
  high: number,
): Promise<number> {
  let [x, left, right] = [start, low, high];
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const { slope, curvature } = await f(x);
    if (slope > 0) right = x;
    else left = x;
    const step = curvature > 0 ? x - slope / curvature : NaN;
    const next = step > left && step < right ? step : (left + right) / 2;
    if (!(Math.abs(next - x) > PRECISION)) return next;
    x = next;
  }
  return x;
}
