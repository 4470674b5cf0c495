/**
 * A ridge problem in the dual a few examples away from one that was solved. With P the inverse of the base's system, examples S that
 * went or count otherwise, and new examples N:
 *
 *     Q = P_SS + diag(delta),   delta_s = 1 / (mu (n' - n)) for a class of n that has n' now, 0 where the example went
 *     A^-1 = P - P_S Q^-1 P_S^T                                          (Woodbury's identity)
 *     V = A^-1 K_N,   Z = K_NN + mu N_N - K_N^T V                        (Schur's complement)
 *
 * from which solutions and the diagonal of the inverse follow in `2 n (s + k)` operations a class, where a solve from nothing takes
 * `n^3 / 3` and more for every mu.
 */

import type { GemmShape } from '../gemm.ts';
import type { FitContext, Memory } from '../head.ts';
import { solveSymmetric } from '../linalg/cholesky-solve.ts';
import { invert } from '../linalg/low-rank-update.ts';
import { subtractProduct } from '../linalg/products-in-place.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { rowKey } from '../memory/match-rows.ts';
import type { DualBase, DualKernel, DualSystem, KeptDual, UpdateDual } from './dual-base.ts';

/** Examples that may have come, gone or changed their weight, as a share of the base: beyond, a new start costs less. */
const MOST_CHANGED = 1 / 8;
/** A class that shrinks to less than this share costs digits. */
const LEAST_LEFT = 1 / 4;

/** What tells a state from the base. */
interface DualChange {
  /** Rows of the base that went, then those whose class has more or fewer examples now. */
  readonly touched: readonly number[];
  /** How many of them went. */
  readonly numGone: number;
  /** By how many examples more the class of each of the others counts. */
  readonly growth: readonly number[];
  /** Rows of the state that the base has not. */
  readonly came: readonly number[];
  /** Int32Array, classes of the base: the class that took in each, or -1. */
  readonly classAfter: Int32Array;
}

/** @param sources Int32Array, numExamples: where each row stood in the base, or -1. Undefined where too much has changed. */
function changeOf(before: Memory, after: Memory, sources: Int32Array): DualChange | undefined {
  const most = before.numExamples * MOST_CHANGED;
  const classAfter = new Int32Array(before.numClasses).fill(-1);
  const stayed = new Uint8Array(before.numExamples);
  const came: number[] = [];
  for (const [i, from] of sources.entries()) {
    if (from < 0) {
      came.push(i);
      continue;
    }
    const [b, c] = [before.classIndices[from], after.classIndices[i]];
    // Solutions for classes that became one add up, but no part of a class has one of its own.
    if (classAfter[b] >= 0 && classAfter[b] !== c) return undefined;
    classAfter[b] = c;
    stayed[from] = 1;
  }
  const gone: number[] = [];
  const reweighted: number[] = [];
  const growth: number[] = [];
  for (const [j, b] of before.classIndices.entries()) {
    if (stayed[j] === 0) {
      gone.push(j);
      continue;
    }
    const count = after.counts[classAfter[b]];
    if (count < before.counts[b] * LEAST_LEFT) return undefined;
    if (count === before.counts[b]) continue;
    reweighted.push(j);
    growth.push(count - before.counts[b]);
  }
  const touched = [...gone, ...reweighted];
  if (touched.length + came.length > most) return undefined;
  return { touched, numGone: gone.length, growth, came, classAfter };
}

/** What a change is worked out from. */
interface UpdateParts {
  readonly base: DualBase;
  readonly kernel: DualKernel;
  readonly memory: Memory;
  /** Int32Array, numExamples: where each row stood in the base, or -1. */
  readonly sources: Int32Array;
  readonly change: DualChange;
  /** Float64Array, came x base: kernel values. */
  readonly toAll: Float64Array;
  /** Float64Array, came x came: kernel values. */
  readonly among: Float64Array;
  readonly context: FitContext;
}

/** What the change makes of the base's system for one mu. */
interface ReducedDual {
  /** Float64Array, touched x base: P_S^T. */
  readonly solved: Float64Array;
  /** Float64Array, touched x base: Q^-1 P_S^T. */
  readonly corrected: Float64Array;
  /** Float64Array, came x base: V^T. */
  readonly reached: Float64Array;
  /** Float64Array, came x came: Z^-1. */
  readonly schurInverse: Float64Array;
}

/** See `UpdateDual`. */
export const updateDual: UpdateDual = async (base, memory, sources, kernel, context) => {
  const change = changeOf(base.memory, memory, sources);
  if (change === undefined) return undefined;
  const { codes, numExamples } = base.memory;
  const { came } = change;
  const own = chosenRows(memory.codes, memory.width, came);
  const toAll = await kernel.between(own, came.length, codes, numExamples);
  const among = await kernel.between(own, came.length, own, came.length);
  return new UpdatedDual({ base, kernel, memory, sources, change, toAll, among, context }).at;
};

class UpdatedDual {
  readonly #parts: UpdateParts;
  readonly #keys: readonly string[];
  /** `toAll` without examples that went. */
  readonly #toBase: Float64Array;

  constructor(parts: UpdateParts) {
    this.#parts = parts;
    const { base, memory, change, toAll } = parts;
    const { touched, numGone, came } = change;
    const n = base.memory.numExamples;
    this.#toBase = toAll.slice();
    for (const row of touched.slice(0, numGone)) {
      for (let k = 0; k < came.length; k++) this.#toBase[k * n + row] = 0;
    }
    this.#keys = [...touched.map((row) => `row ${row}`), ...came.map((i) => rowKey(memory.codes, memory.width, i))];
  }

  readonly at = async (mu: number): Promise<DualSystem> => {
    const { base, kernel, memory, change, context } = this.#parts;
    const { classIndices, numClasses } = memory;
    const { came } = change;
    const [n, k] = [base.memory.numExamples, came.length];
    const system = await base.keptAt(mu, kernel, context);
    const reduced = await this.#reduced(system, mu);
    const { solved, corrected, reached, schurInverse } = reduced;

    const sides = this.#sidesBefore(system.coefficients, solved);
    await context.yieldToHost?.();
    const targets = new Float64Array(k * numClasses);
    for (let b = 0; b < k; b++) targets[b * numClasses + classIndices[came[b]]] = 1;
    const coefficients = await this.#completed(sides, targets, numClasses, reduced);
    await context.yieldToHost?.();

    const diagonal = system.inverseDiagonal.slice();
    addProducts(diagonal, -1, solved, corrected);
    addProducts(diagonal, 1, reached, await this.#product(schurInverse, reached, { m: k, n, k }));
    const own = Float64Array.from({ length: k }, (_, b) => schurInverse[b * k + b]);
    const solve: DualSystem['solve'] = async (right, count) => {
      const { inBase, ofCame } = this.#apart(right, count);
      const before = await solveSymmetric(system.factor, inBase, count, context);
      return this.#completed(before, ofCame, count, reduced);
    };
    return { coefficients, inverseDiagonal: this.#inOrder(diagonal, own, 1), solve };
  };

  /**
   * Solutions of the state from those of the base.
   * @param before Float64Array, base x count: P times right-hand sides that are zero at examples that went; overwritten
   * @param ofCame Float64Array, came x count: right-hand sides of examples that came; overwritten
   * @returns Float64Array, numExamples x count
   */
  async #completed(
    before: Float64Array,
    ofCame: Float64Array,
    count: number,
    { corrected, reached, schurInverse }: ReducedDual,
  ): Promise<Float64Array> {
    const { base, change } = this.#parts;
    const { touched, came } = change;
    const n = base.memory.numExamples;
    const [s, k] = [touched.length, came.length];
    const atTouched = chosenRows(before, count, touched);
    await this.#subtract(before, corrected, atTouched, { m: n, n: count, k: s, transposeA: true });
    await this.#subtract(ofCame, this.#toBase, before, { m: k, n: count, k: n });
    const added = await this.#product(schurInverse, ofCame, { m: k, n: count, k });
    await this.#subtract(before, reached, added, { m: n, n: count, k, transposeA: true });
    return this.#inOrder(before, added, count);
  }

  async #reduced(system: KeptDual, mu: number): Promise<ReducedDual> {
    const { base, change, toAll, context } = this.#parts;
    const { touched, numGone, came, growth } = change;
    const n = base.memory.numExamples;
    const [s, k] = [touched.length, came.length];
    const columns = await this.#solvedColumns(system);
    const solved = new Float64Array(s * n);
    for (let a = 0; a < s; a++) solved.set(columns[a], a * n);
    const reached = new Float64Array(k * n);
    for (let b = 0; b < k; b++) reached.set(columns[s + b], b * n);
    // Kernel values with examples that went are no part of the columns.
    const toGone = columnsOf(toAll, k, n, touched.slice(0, numGone));
    await this.#subtract(reached, toGone, solved.subarray(0, numGone * n), { m: k, n, k: numGone });
    await context.yieldToHost?.();

    const inner = columnsOf(solved, s, n, touched);
    for (let a = numGone; a < s; a++) inner[a * s + a] += 1 / (mu * growth[a - numGone]);
    const corrected = await this.#product(invert(inner, s), solved, { m: s, n, k: s });
    await this.#subtract(reached, columnsOf(reached, k, n, touched), corrected, { m: k, n, k: s });
    await context.yieldToHost?.();
    return { solved, corrected, reached, schurInverse: await this.#schurInverse(reached, mu) };
  }

  /** Z^-1. */
  async #schurInverse(reached: Float64Array, mu: number): Promise<Float64Array> {
    const { memory, change, among } = this.#parts;
    const k = change.came.length;
    const n = this.#parts.base.memory.numExamples;
    const schur = await this.#product(this.#toBase, reached, { m: k, n: k, k: n, transposeB: true });
    for (let i = 0; i < schur.length; i++) schur[i] = among[i] - schur[i];
    for (const [b, i] of change.came.entries()) schur[b * k + b] += mu * memory.counts[memory.classIndices[i]];
    return invert(schur, k);
  }

  /** `(K + mu N)^-1` times a unit vector for each row touched, and times the kernel values of each that came; each is solved once. */
  #solvedColumns({ factor, columns }: KeptDual): Promise<Float64Array[]> {
    const { base, change, toAll, context } = this.#parts;
    const { touched } = change;
    const n = base.memory.numExamples;
    return columns.of(this.#keys, async (fresh) => {
      const count = fresh.length;
      const right = new Float64Array(n * count);
      for (const [at, index] of fresh.entries()) {
        if (index < touched.length) right[touched[index] * count + at] = 1;
        else for (let i = 0; i < n; i++) right[i * count + at] = toAll[(index - touched.length) * n + i];
      }
      const solved = await solveSymmetric(factor, right, count, context);
      return fresh.map((_, at) => Float64Array.from({ length: n }, (_row, i) => solved[i * count + at]));
    });
  }

  /** The base's solutions for the classes of now, without the targets of examples that went. */
  #sidesBefore(before: Float64Array, solved: Float64Array): Float64Array {
    const { touched, numGone, classAfter } = this.#parts.change;
    const { classIndices, numClasses: width, numExamples: n } = this.#parts.base.memory;
    const { numClasses } = this.#parts.memory;
    const sides = new Float64Array(n * numClasses);
    for (let i = 0; i < n; i++) {
      const [from, to] = [i * width, i * numClasses];
      for (let b = 0; b < width; b++) if (classAfter[b] >= 0) sides[to + classAfter[b]] += before[from + b];
    }
    for (let a = 0; a < numGone; a++) {
      const c = classAfter[classIndices[touched[a]]];
      if (c < 0) continue;
      for (let i = 0; i < n; i++) sides[i * numClasses + c] -= solved[a * n + i];
    }
    return sides;
  }

  /** Rows of the state, as rows of the base and of the examples that came. */
  #apart(right: Float64Array, count: number): Record<'inBase' | 'ofCame', Float64Array> {
    const { base, sources, change } = this.#parts;
    const inBase = new Float64Array(base.memory.numExamples * count);
    for (const [i, from] of sources.entries()) {
      if (from >= 0) inBase.set(right.subarray(i * count, (i + 1) * count), from * count);
    }
    return { inBase, ofCame: chosenRows(right, count, change.came) };
  }

  /** The other way round, without what stands at examples that went. */
  #inOrder(inBase: Float64Array, ofCame: Float64Array, count: number): Float64Array {
    const out = new Float64Array(this.#parts.memory.numExamples * count);
    for (const [i, from] of this.#parts.sources.entries()) {
      if (from >= 0) out.set(inBase.subarray(from * count, (from + 1) * count), i * count);
    }
    for (const [b, i] of this.#parts.change.came.entries()) {
      out.set(ofCame.subarray(b * count, (b + 1) * count), i * count);
    }
    return out;
  }

  async #product(a: Float64Array, b: Float64Array, shape: GemmShape): Promise<Float64Array> {
    const { m, n, k } = shape;
    return m * n * k === 0 ? new Float64Array(m * n) : this.#parts.context.gemm.f64(a, b, shape);
  }

  async #subtract(from: Float64Array, a: Float64Array, b: Float64Array, shape: GemmShape): Promise<void> {
    if (shape.m * shape.n * shape.k > 0) await subtractProduct(from, a, b, shape, this.#parts.context);
  }
}

/** Chosen columns of `height` rows: height x columns.length. */
function columnsOf(rows: Float64Array, height: number, width: number, columns: readonly number[]): Float64Array {
  const out = new Float64Array(height * columns.length);
  for (let r = 0, at = 0; r < height; r++) for (const column of columns) out[at++] = rows[r * width + column];
  return out;
}

/** Adds to each entry of `diagonal` `sign` times the product of the columns of a and b that go with it. */
function addProducts(diagonal: Float64Array, sign: 1 | -1, a: Float64Array, b: Float64Array): void {
  for (let at = 0; at < a.length;) {
    for (let i = 0; i < diagonal.length; i++, at++) diagonal[i] += sign * a[at] * b[at];
  }
}
