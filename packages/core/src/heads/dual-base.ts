/**
 * A class-balanced ridge problem in the dual, `(K + mu N) a = Y` with N the examples of each example's class, as it was solved once
 * and kept in the carry: what was factored and solved for each mu. A state a few examples away starts from here; see dual-update.ts.
 */

import type { FitContext, Memory } from '../head.ts';
import { choleskyFactor, type CholeskyFactor } from '../linalg/cholesky.ts';
import { inverseDiagonal, solveSymmetric } from '../linalg/cholesky-solve.ts';
import { LatestSystems, MOST_SYSTEMS, NamedValues } from './kept-solves.ts';

/** Kernel values between examples, by their codes. */
export interface DualKernel {
  /** What the values depend on besides the codes; absent where nothing is to be kept. */
  readonly parameters?: string;
  /** Float64Array, numExamples: values of each example with itself. */
  readonly diagonal: Float64Array;
  /** Float64Array, rowsA x rowsB; the caller owns it. */
  between(a: Int8Array, rowsA: number, b: Int8Array, rowsB: number): Promise<Float64Array>;
}

/** What one mu gives; read it, it may be kept. */
export interface DualSolution {
  /** Float64Array, numExamples x numClasses: a. */
  readonly coefficients: Float64Array;
  /** Float64Array, numExamples: diagonal of `(K + mu N)^-1`. */
  readonly inverseDiagonal: Float64Array;
}

/** The same for one mu, ready to solve with. */
export interface DualSystem extends DualSolution {
  /**
   * `(K + mu N)^-1 right`.
   * @param right Float64Array, numExamples x count, row-major; not changed
   * @returns Float64Array, numExamples x count; the caller owns it
   */
  solve(right: Float64Array, count: number): Promise<Float64Array>;
}

/** Bytes that the systems of a state may take; their solved columns may take half as much again. */
const MOST_BYTES = 2 ** 28;
/** Values of mu that a search compares, as a rule. */
const LEAST_SYSTEMS = 2;
/** So few examples are solved from nothing in a few milliseconds, and bit for bit as when a file of them is opened. */
const LEAST_EXAMPLES = 97;

/** The same with what other states start from. */
export interface KeptDual extends DualSolution {
  readonly factor: CholeskyFactor;
  /** Solved columns, each of numExamples. */
  readonly columns: NamedValues<Float64Array>;
}

export class DualBase {
  readonly memory: Memory;
  readonly #systems: LatestSystems<KeptDual>;
  /** Kernel values of all examples, while they are at hand: the diagonal is written to. */
  #matrix: Float64Array | undefined;

  /**
   * @param matrix Float64Array, numExamples x numExamples; taken over until `release`
   * @param numKept how many systems states to come may start from; 0: no two values of mu are factored at a time
   */
  constructor(memory: Memory, matrix: Float64Array, numKept: number) {
    this.memory = memory;
    this.#matrix = matrix;
    this.#systems = new LatestSystems(Math.max(1, numKept));
  }

  /** How many systems of a state are small enough to be kept; 0 where a search would leave more than that. */
  static numKept({ numExamples: n, numClasses }: Memory): number {
    const most = Math.floor(MOST_BYTES / (4 * n * n + 8 * n * numClasses));
    return n < LEAST_EXAMPLES || most < LEAST_SYSTEMS ? 0 : Math.min(most, MOST_SYSTEMS);
  }

  /** Lets go of the kernel matrix: for another mu its values are computed again. */
  release(): void {
    this.#matrix = undefined;
  }

  /** `keptAt` for the state that this was made for. */
  async systemAt(mu: number, kernel: DualKernel, context: FitContext): Promise<DualSystem> {
    const { factor, coefficients, inverseDiagonal } = await this.keptAt(mu, kernel, context);
    const solve: DualSystem['solve'] = (right, count) => solveSymmetric(factor, right, count, context);
    return { coefficients, inverseDiagonal, solve };
  }

  /** @param kernel of the fit that asks: the same values as when this was made */
  keptAt(mu: number, kernel: DualKernel, context: FitContext): Promise<KeptDual> {
    return this.#systems.at(mu, () => this.#solve(mu, kernel, context));
  }

  async #solve(mu: number, kernel: DualKernel, context: FitContext): Promise<KeptDual> {
    const { codes, classIndices, counts, numExamples: n, numClasses } = this.memory;
    const matrix = this.#matrix ?? (await kernel.between(codes, n, codes, n));
    const diagonal = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]);
    for (let i = 0; i < n; i++) matrix[i * n + i] += mu * counts[classIndices[i]];
    const factor = await choleskyFactor(matrix, n, context).finally(() => {
      for (let i = 0; i < n; i++) matrix[i * n + i] = diagonal[i];
    });
    const targets = new Float64Array(n * numClasses);
    for (let i = 0; i < n; i++) targets[i * numClasses + classIndices[i]] = 1;
    return {
      factor,
      coefficients: await solveSymmetric(factor, targets, numClasses, context),
      inverseDiagonal: await inverseDiagonal(factor, context),
      columns: new NamedValues(Math.ceil(n / 4)),
    };
  }
}

/**
 * Solutions of a state from those of the base.
 * @param sources Int32Array, numExamples: where each row of the state stood in the base, or -1
 * @returns undefined where so much has changed that a solve from nothing costs less
 */
export type UpdateDual = (
  base: DualBase,
  memory: Memory,
  sources: Int32Array,
  kernel: DualKernel,
  context: FitContext,
) => Promise<((mu: number) => Promise<DualSystem>) | undefined>;
