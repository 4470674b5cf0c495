/**
 * A ridge problem on features as it was solved once, kept in the carry for the states that follow: the exact sums, and what was
 * factored and solved. A state a few rows away starts from here; see `ridge-update.ts`.
 */

import type { FitContext } from '../head.ts';
import { choleskyFactor, type CholeskyFactor } from '../linalg/cholesky.ts';
import { doubleSystem, type FactoredSystem } from '../linalg/factored-system.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import type { ClassSides } from './class-sides.ts';
import { LatestSystems, MOST_SYSTEMS, NamedValues } from './kept-solves.ts';
import { formsOfRows, solveRows, type RidgeSystem, type SolvedProbes } from './ridge-systems.ts';

/** The exact part of a state. */
export interface RidgeSums {
  readonly order: number;
  /** Int8Array, numExamples x width: the codes of the examples. */
  readonly codes: Int8Array;
  /** Int32Array, numExamples. */
  readonly classIndices: Int32Array;
  /** Float64Array, numExamples: integers. */
  readonly weights: Float64Array;
  /** Int32Array, numClasses x order: sums of the features of each class. */
  readonly classSums: Int32Array;
  /** Float64Array, numClasses: the weight of an example of each. */
  readonly classWeights: Float64Array;
  /** Int32Array, numClasses: numbers that go with what is in each class. */
  readonly seeds: Int32Array;
  readonly sides: ClassSides;
  /** Float64Array, order x order, of which the lower triangle is filled: `sum_i w_i f_i f_i^T`. */
  readonly gram: Float64Array;
  readonly trace: number;
}

export class RidgeBase {
  readonly sums: RidgeSums;
  readonly #systems = new LatestSystems<KeptFactor>(MOST_SYSTEMS);
  #coefficients: { readonly lambda: number; readonly rows: Float64Array } | undefined;

  constructor(sums: RidgeSums) {
    this.sums = sums;
  }

  async at(lambda: number, context: FitContext): Promise<KeptSystem> {
    const { order, gram } = this.sums;
    const kept = await this.#systems.at(lambda, async () => ({
      factor: await choleskyFactor(gram, order, context, lambda),
      probes: undefined,
      rows: new NamedValues<Float64Array>(MOST_ROWS),
      forms: new NamedValues<number>(MOST_ROWS),
    }));
    return new KeptSystem(kept, this.sums, context);
  }

  /**
   * Coefficients of this state, numClasses x order; read them.
   * @param known what `crossOf` gives for this state, where it is at hand
   */
  async coefficientsAt(lambda: number, context: FitContext, known?: Float64Array): Promise<Float64Array> {
    if (this.#coefficients?.lambda === lambda) return this.#coefficients.rows;
    const { order, classSums, classWeights } = this.sums;
    const cross = known ?? (await crossOf(classSums, classWeights, order, context));
    const rows = await (await this.at(lambda, context)).solve(cross, classWeights.length);
    this.#coefficients = { lambda, rows };
    return rows;
  }
}

/** Sums multiplied between two turns of the host. */
const TURN_SUMS = 2 ** 21;

/** `sum_i w_i f_i y_i^T`, numClasses x order: exact integers. */
export async function crossOf(
  classSums: Int32Array,
  classWeights: Float64Array,
  order: number,
  { yieldToHost }: FitContext,
): Promise<Float64Array> {
  const cross = new Float64Array(classSums.length);
  for (let c = 0, at = 0; c < classWeights.length; c++) {
    const weight = classWeights[c];
    for (const end = at + order; at < end; at++) cross[at] = weight * classSums[at];
    if (at % TURN_SUMS < order) await yieldToHost?.();
  }
  return cross;
}

/** Rows that stay solved: more than a state may be away. */
const MOST_ROWS = 4096;

/** One factored system, with what has been solved with it. */
interface KeptFactor {
  readonly factor: CholeskyFactor;
  probes: SolvedProbes | undefined;
  /** Solved rows. */
  readonly rows: NamedValues<Float64Array>;
  /** Quadratic forms. */
  readonly forms: NamedValues<number>;
}

/** A kept factor at the service of one solve, with that solve's turns and signal. */
export class KeptSystem implements RidgeSystem {
  readonly #kept: KeptFactor;
  readonly #sums: RidgeSums;
  readonly #context: FitContext;
  readonly #system: FactoredSystem;

  constructor(kept: KeptFactor, sums: RidgeSums, context: FitContext) {
    this.#kept = kept;
    this.#sums = sums;
    this.#context = context;
    this.#system = doubleSystem(kept.factor, context);
  }

  solve(rows: Float64Array, count: number, tolerance?: number): Promise<Float64Array> {
    return solveRows(this.#system, this.#sums.order, rows, count, this.#context, tolerance);
  }

  /** Sides of the base. */
  async solveSidesAndSigns(signs: Float64Array, count: number, tolerance: number): Promise<SolvedProbes> {
    const { sides } = this.#sums;
    return (this.#kept.probes ??= {
      sides: await this.solve(sides.rows, sides.count, tolerance),
      signs: await this.solve(signs, count, tolerance),
    });
  }

  async quadraticForms(rows: Float64Array, count: number, keys?: readonly string[]): Promise<Float64Array> {
    const { order } = this.#sums;
    const formsOf = (some: Float64Array, height: number): Promise<Float64Array> =>
      formsOfRows(this.#system, order, some, height, this.#context);
    if (keys === undefined) return formsOf(rows, count);
    const known = await this.#kept.forms.of(keys, async (fresh) =>
      Array.from(await formsOf(chosenRows(rows, order, fresh), fresh.length)),
    );
    return Float64Array.from(known);
  }

  /**
   * `solve` of rows by name: those that were solved before are looked up.
   * @param keys one a row, equal for equal rows
   */
  async solveNamed(rows: Float64Array, keys: readonly string[]): Promise<Float64Array> {
    const { order } = this.#sums;
    const known = await this.#kept.rows.of(keys, async (fresh) => {
      const solved = await this.solve(chosenRows(rows, order, fresh), fresh.length);
      return fresh.map((_, at) => solved.slice(at * order, (at + 1) * order));
    });
    const out = new Float64Array(rows.length);
    for (const [i, row] of known.entries()) out.set(row, i * order);
    return out;
  }
}
