/**
 * Seeded random bits by integer arithmetic alone: the same on every engine and device.
 * xoshiro128**: Blackman and Vigna, Scrambled Linear Pseudorandom Number Generators (ACM TOMS 2021); seeded by splitmix32.
 */

/** 32 bits of which each depends on all of `bits`: the finaliser of splitmix32. */
export function mixedBits(bits: number): number {
  let z = bits ^ (bits >>> 16);
  z = Math.imul(z, 0x21f0aaad);
  z ^= z >>> 15;
  z = Math.imul(z, 0x735a2d97);
  return z ^ (z >>> 15);
}

/** A generator of 32 random bits a call, as a signed integer. */
export function seededBits(seed: number): () => number {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    return mixedBits(state);
  };
  let a = next();
  let b = next();
  let c = next();
  let d = next();
  return () => {
    const five = Math.imul(b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}

/** How many of 32 bits are set. */
export function popcount(bits: number): number {
  let x = bits - ((bits >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
