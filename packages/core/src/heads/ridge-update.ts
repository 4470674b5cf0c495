/**
 * A ridge problem on features a few rows away from one that was solved: everything by products with those rows, where a solve
 * from nothing factors the Gram matrix for every lambda. Sums stay exact; what is solved is checked against them.
 */

import type { FitContext, Memory } from '../head.ts';
import { LowRankUpdate } from '../linalg/low-rank-update.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { crossOf, type KeptSystem, type RidgeBase, type RidgeSums } from './ridge-base.ts';
import type { RidgeSystem } from './ridge-systems.ts';

/** Rows that may have come, gone or changed their weight, as a share of the order: beyond, a new start costs less. */
const MOST_CHANGED = 1 / 8;
/** Relative residual of coefficients, of the kind that a factor in f64 leaves. */
const TOLERANCE = 1e-10;

/** What tells one state from the base. */
export interface RidgeChange {
  /** Float64Array, count x order: features of the rows that count otherwise than in the base. */
  readonly rows: Float64Array;
  /** One a row: its codes as text. */
  readonly keys: readonly string[];
  /** Float64Array, count: by how much more. */
  readonly weights: Float64Array;
  /** Int32Array, numClasses: the class of the base with the same sums and weight, or -1. */
  readonly sameAs: Int32Array;
  /** Int32Array, numClasses x order. */
  readonly classSums: Int32Array;
  /** Float64Array, numClasses. */
  readonly classWeights: Float64Array;
  readonly trace: number;
}

/** Codes of one example as text: equal codes, equal text. */
export function rowKey(codes: Int8Array, width: number, row: number): string {
  let key = '';
  for (let j = row * width; j < (row + 1) * width; j++) key += String.fromCharCode(codes[j] + 128);
  return key;
}

/**
 * @param sources where the rows of `memory` stood in the base, or -1
 * @param weights Float64Array, numExamples: integers, one for all examples of a class
 * @param project features of codes, rows x order
 * @returns undefined where too much has changed
 */
export async function ridgeChange(
  base: RidgeSums,
  memory: Memory,
  sources: Int32Array,
  weights: Float64Array,
  project: (codes: Int8Array, count: number) => Promise<Int8Array>,
): Promise<RidgeChange | undefined> {
  const { order } = base;
  const { classIndices, numClasses, codes, width } = memory;
  const most = order * MOST_CHANGED;
  const stayed = new Uint8Array(base.classIndices.length);
  const classBefore = new Int32Array(numClasses).fill(-1);
  const sameAs = new Int32Array(numClasses).fill(-1);
  const classWeights = new Float64Array(numClasses);
  /** Rows by what they count more: of this state, and of the base alone. */
  const present: number[] = [];
  const past: number[] = [];
  for (const [i, c] of classIndices.entries()) {
    const from = sources[i];
    classWeights[c] = weights[i];
    if (from < 0) present.push(i);
    else {
      stayed[from] = 1;
      if (base.weights[from] !== weights[i]) present.push(i);
      if (classBefore[c] < 0) classBefore[c] = base.classIndices[from];
      // A class that was cut in two, or rows that changed places at the same weight.
      if (classBefore[c] !== base.classIndices[from]) return undefined;
    }
    if (present.length > most) return undefined;
  }
  for (let i = 0; i < stayed.length; i++) if (stayed[i] === 0) past.push(i);
  if (present.length + past.length > most) return undefined;
  if (new Set(classBefore.filter((c) => c >= 0)).size < classBefore.filter((c) => c >= 0).length) return undefined;

  const count = present.length + past.length;
  const changed = new Int8Array(count * width);
  changed.set(chosenRows(codes, width, present));
  changed.set(chosenRows(base.codes, width, past), present.length * width);
  const rows = new Float64Array(await project(changed, count));
  const classSums = new Int32Array(numClasses * order);
  for (const [c, from] of classBefore.entries()) {
    if (from < 0) continue;
    classSums.set(base.classSums.subarray(from * order, (from + 1) * order), c * order);
    sameAs[c] = from;
  }
  const differences = new Float64Array(count);
  let trace = base.trace;
  const nowOf = new Map([...classBefore.entries()].map(([c, from]): [number, number] => [from, c]));
  for (let r = 0; r < count; r++) {
    const isPresent = r < present.length;
    const i = isPresent ? present[r] : past[r - present.length];
    const from = isPresent ? sources[i] : i;
    const before = from < 0 ? 0 : base.weights[from];
    differences[r] = (isPresent ? weights[i] : 0) - before;
    const c = isPresent ? classIndices[i] : (nowOf.get(base.classIndices[i]) ?? -1);
    const sign = isPresent ? (from < 0 ? 1 : 0) : -1;
    let square = 0;
    for (let j = 0; j < order; j++) {
      const feature = rows[r * order + j];
      square += feature * feature;
      if (c >= 0) classSums[c * order + j] += sign * feature;
    }
    trace += differences[r] * square;
    if (c >= 0) sameAs[c] = -1;
  }
  const keys = Array.from({ length: count }, (_, r) => rowKey(changed, width, r));
  return { rows, keys, weights: differences, sameAs, classSums, classWeights, trace };
}

/** The systems and the coefficients of a changed state. */
export class UpdatedRidge {
  /** Float64Array, numClasses x order: `sum_i w_i y_i f_i^T`. */
  readonly cross: Float64Array;
  readonly #base: RidgeBase;
  readonly #change: RidgeChange;
  readonly #context: FitContext;
  readonly #updates = new Map<number, LowRankUpdate>();

  private constructor(base: RidgeBase, change: RidgeChange, cross: Float64Array, context: FitContext) {
    this.#base = base;
    this.#change = change;
    this.cross = cross;
    this.#context = context;
  }

  static async of(base: RidgeBase, change: RidgeChange, context: FitContext): Promise<UpdatedRidge> {
    const { classSums, classWeights } = change;
    const cross = await crossOf(classSums, classWeights, base.sums.order, context);
    return new UpdatedRidge(base, change, cross, context);
  }

  readonly at = async (lambda: number): Promise<RidgeSystem> => {
    const kept = await this.#base.at(lambda, this.#context);
    const context = this.#context;
    return {
      solve: async (rows, count) => {
        const { update, others } = await this.#solve(lambda, kept, rows, count);
        await update.correct(others, count, context);
        return others;
      },
      solveFixed: async (name, rows, count, tolerance) => {
        const solved = (await kept.solveFixed(name, rows, count, tolerance)).slice();
        const { update } = await this.#solve(lambda, kept, new Float64Array(0), 0);
        await update.correct(solved, count, context);
        return solved;
      },
      quadraticForms: async (rows, count, keys) => {
        const forms = await kept.quadraticForms(rows, count, keys);
        const { update } = await this.#solve(lambda, kept, new Float64Array(0), 0);
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
    const { sameAs } = this.#change;
    const context = this.#context;
    const kept = await this.#base.at(lambda, context);
    const before = await this.#base.coefficientsAt(lambda, context);
    const fresh = [...sameAs.keys()].filter((c) => sameAs[c] < 0);
    const right = new Float64Array(fresh.length * order);
    for (const [at, c] of fresh.entries()) right.set(this.cross.subarray(c * order, (c + 1) * order), at * order);
    const { update, others } = await this.#solve(lambda, kept, right, fresh.length);
    const rows = new Float64Array(sameAs.length * order);
    for (const [c, from] of sameAs.entries()) {
      if (from >= 0) rows.set(before.subarray(from * order, (from + 1) * order), c * order);
    }
    for (const [at, c] of fresh.entries()) rows.set(others.subarray(at * order, (at + 1) * order), c * order);
    await context.yieldToHost?.();
    await update.correct(rows, sameAs.length, context);
    return this.#residual(lambda, rows) <= TOLERANCE ? rows : undefined;
  }

  /** Solves what the update is made of, where that has not been done, together with other rows. */
  async #solve(lambda: number, kept: KeptSystem, rows: Float64Array, count: number) {
    const { rows: changed, keys, weights } = this.#change;
    const known = this.#updates.get(lambda);
    if (known !== undefined) return { update: known, others: await kept.solve(rows, count) };
    const { named, others } = await kept.solveNamed(changed, keys, rows, count);
    const update = await LowRankUpdate.of(this.#base.sums.order, changed, named, weights, this.#context);
    this.#updates.set(lambda, update);
    return { update, others };
  }

  /** `|(G + lambda I) x - r| / |r|` of one sum of all coefficients with signs, x, and of their right-hand sides, r. */
  #residual(lambda: number, coefficients: Float64Array): number {
    const { order, gram } = this.#base.sums;
    const { rows, weights } = this.#change;
    const x = new Float64Array(order);
    const left = new Float64Array(order);
    for (let at = 0, c = 0; at < coefficients.length; c++) {
      const sign = Math.imul(c + 1, 0x9e3779b1) < 0 ? -1 : 1;
      for (let j = 0; j < order; j++, at++) {
        x[j] += sign * coefficients[at];
        left[j] += sign * this.cross[at];
      }
    }
    let whole = 0;
    for (let j = 0; j < order; j++) whole += left[j] * left[j];
    for (let i = 0, at = 0; i < order; i++, at = i * order) {
      let sum = 0;
      for (let j = 0; j < i; j++, at++) {
        sum += gram[at] * x[j];
        left[j] -= gram[at] * x[i];
      }
      left[i] -= sum + (gram[at] + lambda) * x[i];
    }
    for (let r = 0; r < weights.length; r++) {
      let along = 0;
      for (let j = 0; j < order; j++) along += rows[r * order + j] * x[j];
      along *= weights[r];
      for (let j = 0; j < order; j++) left[j] -= along * rows[r * order + j];
    }
    let rest = 0;
    for (let j = 0; j < order; j++) rest += left[j] * left[j];
    return whole > 0 ? Math.sqrt(rest / whole) : 0;
  }
}
