/**
 * A ridge problem on features a few rows away from one that was solved: everything by products with those rows, where a solve
 * from nothing factors the Gram matrix for every lambda. Sums stay exact; what is solved is checked against them.
 */

import type { FitContext } from '../head.ts';
import { LowRankUpdate } from '../linalg/low-rank-update.ts';
import { randomSigns } from './class-sides.ts';
import type { KeptSystem, RidgeBase } from './ridge-base.ts';
import { sidesBefore, type RidgeChange } from './ridge-change.ts';
import type { RidgeSystem } from './ridge-systems.ts';

/** Relative residual of coefficients, of the kind that a factor in f64 leaves. */
const TOLERANCE = 1e-10;

/** What one lambda takes. */
interface SolvedChange {
  readonly kept: KeptSystem;
  /** Float64Array, shaped as the rows of the change: each solved with the base. */
  readonly solved: Float64Array;
  readonly update: LowRankUpdate;
}

/** The systems and the coefficients of a changed state. */
export class UpdatedRidge {
  readonly #base: RidgeBase;
  readonly #change: RidgeChange;
  readonly #context: FitContext;
  readonly #solved = new Map<number, SolvedChange>();

  constructor(base: RidgeBase, change: RidgeChange, context: FitContext) {
    this.#base = base;
    this.#change = change;
    this.#context = context;
  }

  readonly at = async (lambda: number): Promise<RidgeSystem> => {
    const context = this.#context;
    const { sides } = this.#base.sums;
    const { classBefore, sideFactors } = this.#change;
    const { kept, solved, update } = await this.#solvedAt(lambda);
    const { order } = this.#base.sums;
    return {
      solve: async (rows, count, tolerance) => {
        const out = await kept.solve(rows, count, tolerance);
        await update.correct(out, count, context);
        return out;
      },
      solveSidesAndSigns: async (signs, numSigns, tolerance) => {
        const before = await kept.solveSidesAndSigns(signs, numSigns, tolerance);
        const own = sidesBefore(before.sides, sides.share, classBefore, order);
        const count = own.length / order;
        const shape = { m: count, n: order, k: solved.length / order };
        const added = await context.gemm.f64(sideFactors, solved, shape);
        const both = new Float64Array(own.length + signs.length);
        for (let i = 0; i < own.length; i++) both[i] = own[i] + added[i];
        both.set(before.signs, own.length);
        await update.correct(both, count + numSigns, context);
        return { sides: both.subarray(0, own.length), signs: both.subarray(own.length) };
      },
      quadraticForms: async (rows, count, keys) => {
        const forms = await kept.quadraticForms(rows, count, keys);
        await update.correctForms(forms, rows, count, context);
        return forms;
      },
    };
  };

  /**
   * @returns Float64Array, numClasses x order, the caller owns it; undefined where they leave more of a residual than a factor
   *   would
   */
  async coefficients(lambda: number): Promise<Float64Array | undefined> {
    const { order } = this.#base.sums;
    const { owners, weights, classBefore } = this.#change;
    const before = await this.#base.coefficientsAt(lambda, this.#context);
    const { solved, update } = await this.#solvedAt(lambda);
    const rows = sidesBefore(before, 1, classBefore, order);
    await this.#context.yieldToHost?.();
    for (const [r, c] of owners.entries()) {
      if (c < 0) continue;
      const [to, from] = [c * order, r * order];
      for (let j = 0; j < order; j++) rows[to + j] += weights[r] * solved[from + j];
    }
    await update.correct(rows, classBefore.length, this.#context);
    return this.#residual(lambda, rows) <= TOLERANCE ? rows : undefined;
  }

  async #solvedAt(lambda: number): Promise<SolvedChange> {
    const known = this.#solved.get(lambda);
    if (known !== undefined) return known;
    const { order } = this.#base.sums;
    const { rows, keys, weights } = this.#change;
    const kept = await this.#base.at(lambda, this.#context);
    const solved = await kept.solveNamed(rows, keys);
    const counting = (matrix: Float64Array): Float64Array => matrix.subarray(0, weights.length * order);
    const update = await LowRankUpdate.of(order, counting(rows), counting(solved), weights, this.#context);
    const made = { kept, solved, update };
    this.#solved.set(lambda, made);
    return made;
  }

  /** `|(G + lambda I) x - r| / |r|` of one side, r, and of the sum of coefficients that goes with it, x. */
  #residual(lambda: number, coefficients: Float64Array): number {
    const { order, gram } = this.#base.sums;
    const { rows, weights, seeds, sides } = this.#change;
    // Of few classes every one is a side: then the first stands for them.
    const signs = Float64Array.from(seeds, (seed, c) => (sides.share < 1 ? randomSigns(1, seed)[0] : c === 0 ? 1 : 0));
    const x = signedSum(coefficients, signs, order);
    const right = sides.rows.subarray(0, order);
    const left = symmetricProduct(gram, order, x);
    for (let r = 0; r < weights.length; r++) {
      const row = r * order;
      let along = 0;
      for (let j = 0; j < order; j++) along += rows[row + j] * x[j];
      for (let j = 0; j < order; j++) left[j] += weights[r] * along * rows[row + j];
    }
    let rest = 0;
    let whole = 0;
    for (let j = 0; j < order; j++) {
      rest += (left[j] + lambda * x[j] - right[j]) ** 2;
      whole += right[j] ** 2;
    }
    return whole > 0 ? Math.sqrt(rest / whole) : 0;
  }
}

/** The sum of rows times their signs, four rows at a time. */
function signedSum(rows: Float64Array, signs: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width);
  for (let r = 0; r < signs.length; r += 4) {
    const s0 = signs[r];
    const s1 = r + 1 < signs.length ? signs[r + 1] : 0;
    const s2 = r + 2 < signs.length ? signs[r + 2] : 0;
    const s3 = r + 3 < signs.length ? signs[r + 3] : 0;
    const r0 = r * width;
    const r1 = s1 === 0 ? r0 : r0 + width;
    const r2 = s2 === 0 ? r0 : r0 + 2 * width;
    const r3 = s3 === 0 ? r0 : r0 + 3 * width;
    for (let j = 0; j < width; j++) {
      out[j] += s0 * rows[r0 + j] + s1 * rows[r1 + j] + s2 * rows[r2 + j] + s3 * rows[r3 + j];
    }
  }
  return out;
}

/** `G x` from the lower triangle, four rows at a time. */
function symmetricProduct(gram: Float64Array, order: number, x: Float64Array): Float64Array {
  const out = new Float64Array(order);
  for (let i = 0; i < order; i += 4) {
    const height = Math.min(4, order - i);
    if (height === 4) {
      const r0 = i * order;
      const r1 = r0 + order;
      const r2 = r1 + order;
      const r3 = r2 + order;
      const x0 = x[i];
      const x1 = x[i + 1];
      const x2 = x[i + 2];
      const x3 = x[i + 3];
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let j = 0; j < i; j++) {
        const g0 = gram[r0 + j];
        const g1 = gram[r1 + j];
        const g2 = gram[r2 + j];
        const g3 = gram[r3 + j];
        const y = x[j];
        s0 += g0 * y;
        s1 += g1 * y;
        s2 += g2 * y;
        s3 += g3 * y;
        out[j] += g0 * x0 + g1 * x1 + g2 * x2 + g3 * x3;
      }
      out[i] += s0;
      out[i + 1] += s1;
      out[i + 2] += s2;
      out[i + 3] += s3;
    }
    for (let a = i; a < i + height; a++) {
      for (let j = height === 4 ? i : 0; j <= a; j++) {
        out[a] += gram[a * order + j] * x[j];
        if (j < a) out[j] += gram[a * order + j] * x[a];
      }
    }
  }
  return out;
}
