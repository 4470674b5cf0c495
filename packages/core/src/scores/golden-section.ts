/** Golden-section search (Kiefer 1953), for functions that let the host take turns. */

/** Where a function with one dip over [low, high] is lowest, to 1e-3. */
export async function goldenSection(f: (x: number) => Promise<number>, low: number, high: number): Promise<number> {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [low, high];
  let [c, d] = [b - ratio * (b - a), a + ratio * (b - a)];
  let [fc, fd] = [await f(c), await f(d)];
  while (b - a > 1e-3) {
    if (fc <= fd) {
      [b, d, fd] = [d, c, fc];
      c = b - ratio * (b - a);
      fc = await f(c);
    } else {
      [a, c, fc] = [c, d, fd];
      d = a + ratio * (b - a);
      fd = await f(d);
    }
  }
  return (a + b) / 2;
}
