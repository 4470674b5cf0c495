/**
 * The squared leave-one-out error of a ridge problem in the dual as a function of mu. With `P = (K + mu N)^-1`, `a = P Y` and
 * `d = diag P`, `e_i = a_i / d_i` and
 *
 *     da / d ln mu = -mu P N a,       dd / d ln mu = -mu diag(P N P).
 *
 * The error is exact. Its slope says where to look next; classes are summed up in it with 32 random signs and the diagonal is
 * estimated with 16 (Hutchinson, Communications in Statistics 1989): 48 right-hand sides instead of an inverse. Signs go with
 * what is in an example or a class, so that neighbouring states have nearly the same.
 */

import type { FitContext, Memory } from '../head.ts';
import { rowHash } from '../memory/match-rows.ts';
import { mixedBits } from '../projection/seeded-bits.ts';
import { classSeeds, classSigns, PROBES } from './class-sides.ts';
import type { DualSolution, DualSystem } from './dual-base.ts';
import type { Expansion } from './lambda-search.ts';

/** Signs of an example, bits of one number. Twice as many, and twice as many of classes, chose no better. */
const SIGNS = 16;
/** Up to so many examples their diagonals cost little more exactly. */
const MAX_EXACT = 128;

/** The logarithm of the loss of a mu, with its slope in log10 mu. */
export type LeaveOneOutLoss = (system: DualSystem, mu: number) => Promise<Expansion>;

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
  const signs = numClasses > PROBES ? classSigns(classSeeds(memory)) : undefined;
  const numSides = signs ? PROBES : numClasses;
  const width = numSides + probes.count;
  return async (system, mu) => {
    const error = squaredError(system, shares);
    if (!(error > 0)) return { value: -Infinity, slope: 0 };
    const value = Math.log(error);
    const { coefficients, inverseDiagonal } = system;
    const shape = { m: n, n: PROBES, k: numClasses };
    const sides = signs ? await context.gemm.f64(coefficients, signs, shape) : coefficients;
    await context.yieldToHost?.();
    const right = new Float64Array(n * width);
    for (let i = 0; i < n; i++) {
      const count = counts[classIndices[i]];
      for (let c = 0; c < numSides; c++) right[i * width + c] = count * sides[i * numSides + c];
      const root = Math.sqrt(count);
      for (let k = 0; k < probes.count; k++) {
        right[i * width + numSides + k] = root * probes.rows[i * probes.count + k];
      }
    }
    const solved = await system.solve(right, width);
    await context.yieldToHost?.();

    let [loss, slope] = [0, 0];
    for (let i = 0; i < n; i++) {
      if (shares[i] === 0) continue;
      // Of the sides |a|^2 and a . P N a, of the probes the diagonal of P N P.
      let [square, along, diagonal] = [0, 0, 0];
      for (let c = 0, at = i * width; c < numSides; c++, at++) {
        const side = sides[i * numSides + c];
        square += side * side;
        along += side * solved[at];
      }
      for (let at = i * width + numSides; at < (i + 1) * width; at++) diagonal += solved[at] ** 2;
      const d = inverseDiagonal[i];
      const scale = shares[i] / (d * d);
      loss += scale * square;
      slope += 2 * mu * scale * ((square * probes.share * diagonal) / d - along);
    }
    return { value, slope: loss > 0 ? (slope / loss) * Math.LN10 : 0 };
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
    const bits = mixedBits(hash + Math.imul(before, 0x9e3779b9));
    for (let k = 0; k < SIGNS; k++) rows[i * SIGNS + k] = (bits >>> k) & 1 ? 1 : -1;
  }
  return { rows, count, share: 1 / SIGNS };
}
