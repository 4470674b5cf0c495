/**
 * The squared leave-one-out error of a ridge problem in the dual as a function of mu. With `P = (K + mu N)^-1`, `a = P Y`,
 * `d = diag P` and `t = ln mu`, `e_i = a_i / d_i` and
 *
 *     da/dt = -mu P N a,             d2a/dt2 = da/dt + 2 mu^2 P N P N a,
 *     dd/dt = -mu diag(P N P),       d2d/dt2 = dd/dt + 2 mu^2 diag(P N P N P).
 *
 * The error is exact. Its slope and curvature say where to look next; classes are summed up in them with 32 random signs and the
 * diagonals estimated with 16 (Hutchinson, Communications in Statistics 1989): 48 right-hand sides instead of an inverse. Signs
 * go with what is in an example or a class, so that neighbouring states have nearly the same.
 */

import type { FitContext, Memory } from '../head.ts';
import { rowHash } from '../memory/match-rows.ts';
import { classSeeds, classSigns } from './class-sides.ts';
import type { DualSolution, DualSystem } from './dual-base.ts';
import type { Expansion } from './lambda-search.ts';

/** Signs of an example, bits of one number. Twice as many, and of classes, chose no better. */
const SIGNS = 16;
/** Up to so many examples their diagonals cost little more exactly. */
const MAX_EXACT = 128;
/** Signs that stand for more classes than these. */
const CLASS_SIGNS = 32;

/** The logarithm of the loss of a mu, with its slope and curvature in log10 mu. */
export type LeaveOneOutLoss = (system: DualSystem, mu: number, withCurvature: boolean) => Promise<Expansion>;

/**
 * Class-balanced mean of squared leave-one-out errors. Classes of one example do not count where others do: left out, they
 * cannot be learnt.
 * @param shares Float64Array, numExamples: `lossShares`
 */
export function squaredError({ coefficients, inverseDiagonal }: DualSolution, shares: Float64Array): number {
  const numClasses = coefficients.length / shares.length;
  let sum = 0;
  for (const [i, share] of shares.entries()) {
    if (share === 0) continue;
    let squares = 0;
    for (let c = i * numClasses; c < (i + 1) * numClasses; c++) squares += coefficients[c] ** 2;
    sum += (share * squares) / inverseDiagonal[i] ** 2;
  }
  return sum;
}

/** What each example counts in the loss. @param weights Float64Array, numExamples: `balanceWeights` */
export function lossShares({ classIndices, counts }: Memory, weights: Float64Array): Float64Array {
  const anyPair = counts.some((count) => count > 1);
  return weights.map((weight, i) => (anyPair && counts[classIndices[i]] === 1 ? 0 : weight));
}

/** @param shares Float64Array, numExamples: `lossShares` */
export function leaveOneOutLoss(memory: Memory, shares: Float64Array, context: FitContext): LeaveOneOutLoss {
  const { classIndices, counts, numExamples: n, numClasses } = memory;
  const probes = exampleProbes(memory);
  const signs = numClasses > CLASS_SIGNS ? classSigns(classSeeds(memory), CLASS_SIGNS) : undefined;
  const numSides = signs ? CLASS_SIGNS : numClasses;
  const width = numSides + probes.count;
  return async (system, mu, withCurvature) => {
    const error = squaredError(system, shares);
    if (!(error > 0)) return { value: -Infinity, slope: 0 };
    const { coefficients, inverseDiagonal } = system;
    const shape = { m: n, n: CLASS_SIGNS, k: numClasses };
    const sides = signs ? await context.gemm.f64(coefficients, signs, shape) : coefficients;
    await context.yieldToHost?.();
    const right = new Float64Array(n * width);
    for (let i = 0; i < n; i++) {
      const count = counts[classIndices[i]];
      for (let c = 0; c < numSides; c++) right[i * width + c] = count * sides[i * numSides + c];
      const root = Math.sqrt(count);
      for (let k = 0; k < probes.count; k++) right[i * width + numSides + k] = root * probes.rows[i * probes.count + k];
    }
    const first = await system.solve(right, width);
    for (let i = 0, at = 0; withCurvature && i < n; i++) {
      const count = counts[classIndices[i]];
      for (const end = at + width; at < end; at++) right[at] = count * first[at];
    }
    const second = withCurvature ? await system.solve(right, width) : undefined;
    await context.yieldToHost?.();

    let [loss, slope, curvature] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      if (shares[i] === 0) continue;
      // Sums over the sides: |a|^2, a . a', |a'|^2, a . a''; over the probes: d' and d'', and what d' squared is short of.
      let [aa, ab, bb, ac, xx, xy, fourth] = [0, 0, 0, 0, 0, 0, 0];
      for (let c = 0, at = i * width; c < numSides; c++, at++) {
        const side = sides[i * numSides + c];
        aa += side * side;
        ab -= side * first[at];
        if (second) {
          bb += first[at] ** 2;
          ac += side * second[at];
        }
      }
      for (let at = i * width + numSides; at < (i + 1) * width; at++) {
        const square = first[at] ** 2;
        xx += square;
        fourth += square * square;
        if (second) xy += first[at] * second[at];
      }
      ab *= mu;
      bb *= mu * mu;
      ac = ab + 2 * mu * mu * ac;
      const d = inverseDiagonal[i];
      // Relative to d, so that a loss of `|a|^2 / d^2` has simple derivatives.
      const [da, dda] = [(-mu * probes.share * xx) / d, (2 * mu * mu * probes.share * xy) / d];
      // The square of a mean of random numbers is too large by its variance; the mean of products of two of them is not.
      const dada =
        probes.share === 1 ? da * da : ((mu / d) ** 2 * (xx * xx - fourth)) / (probes.count * (probes.count - 1));
      const scale = shares[i] / (d * d);
      loss += scale * aa;
      slope += 2 * scale * (ab - aa * da);
      curvature += 2 * scale * (bb + ac - 4 * ab * da - aa * (da + dda) + 3 * aa * dada);
    }
    const value = Math.log(error);
    if (!(loss > 0)) return { value, slope: 0 };
    const relative = slope / loss;
    if (!withCurvature) return { value, slope: relative * Math.LN10 };
    return { value, slope: relative * Math.LN10, curvature: (curvature / loss - relative ** 2) * Math.LN10 ** 2 };
  };
}

interface ExampleProbes {
  /** Float64Array, numExamples x count. */
  readonly rows: Float64Array;
  readonly count: number;
  /** What a sum over the probes counts of a diagonal. */
  readonly share: number;
}

/** Random signs by the codes of an example; unit vectors, which are exact, for few. */
function exampleProbes({ codes, width, numExamples }: Memory): ExampleProbes {
  const isExact = numExamples <= MAX_EXACT;
  const count = isExact ? numExamples : SIGNS;
  const rows = new Float64Array(numExamples * count);
  if (isExact) {
    for (let i = 0; i < numExamples; i++) rows[i * count + i] = 1;
    return { rows, count, share: 1 };
  }
  // Equal examples need signs of their own.
  const seen = new Map<number, number>();
  for (let i = 0; i < numExamples; i++) {
    const hash = rowHash(codes, i * width, width);
    const before = seen.get(hash) ?? 0;
    seen.set(hash, before + 1);
    const bits = mixed(hash + Math.imul(before, 0x9e3779b9));
    for (let k = 0; k < SIGNS; k++) rows[i * SIGNS + k] = (bits >>> k) & 1 ? 1 : -1;
  }
  return { rows, count, share: 1 / SIGNS };
}

/** 32 bits of which each depends on all: the finaliser of splitmix32, as in `seededBits`. */
function mixed(bits: number): number {
  let z = bits ^ (bits >>> 16);
  z = Math.imul(z, 0x21f0aaad);
  z ^= z >>> 15;
  z = Math.imul(z, 0x735a2d97);
  return z ^ (z >>> 15);
}
