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
import { subtractProduct } from '../linalg/subtract-product.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { rowKey } from '../memory/match-rows.ts';
import type { DualBase, DualKernel, DualSolution, KeptDual, UpdateDual } from './dual-base.ts';

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
  /** Int32Array, classes of the base: the class that continues each, or -1. */
  readonly classAfter: Int32Array;
}

/** @param sources Int32Array, numExamples: where each row stood in the base, or -1. Undefined where too much has changed. */
function changeOf(before: Memory, after: Memory, sources: Int32Array): DualChange | undefined {
  const most = before.numExamples * MOST_CHANGED;
  const classAfter = new Int32Array(before.numClasses).fill(-1);
  const taken = new Int32Array(after.numClasses).fill(-1);
  const stayed = new Uint8Array(before.numExamples);
  const came: number[] = [];
  for (const [i, from] of sources.entries()) {
    if (from < 0) {
      came.push(i);
      continue;
    }
    const [b, c] = [before.classIndices[from], after.classIndices[i]];
    // Classes that were cut in two or exchanged examples share no columns of solutions.
    if (taken[c] >= 0 && taken[c] !== b) return undefined;
    if (classAfter[b] >= 0 && classAfter[b] !== c) return undefined;
    taken[c] = b;
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

  readonly at = async (mu: number): Promise<DualSolution> => {
    const context = this.#parts.context;
    const { touched, numGone, came, growth } = this.#parts.change;
    const n = this.#parts.base.memory.numExamples;
    const [s, k] = [touched.length, came.length];
    const system = await this.#parts.base.at(mu, this.#parts.kernel, context);
    const { coefficients: before, inverseDiagonal: diagonal } = system;
    const columns = await this.#solvedColumns(system);
    const solved = new Float64Array(s * n);
    for (let a = 0; a < s; a++) solved.set(columns[a], a * n);
    // Columns of kernel values without the examples that went.
    const reached = new Float64Array(k * n);
    for (let b = 0; b < k; b++) reached.set(columns[s + b], b * n);
    const toGone = new Float64Array(k * numGone);
    for (let b = 0; b < k; b++)
      for (let a = 0; a < numGone; a++) toGone[b * numGone + a] = this.#parts.toAll[b * n + touched[a]];
    await this.#subtract(reached, toGone, solved.subarray(0, numGone * n), { m: k, n, k: numGone });
    await context.yieldToHost?.();

    const inner = new Float64Array(s * s);
    for (let a = 0; a < s; a++) {
      for (let b = 0; b < s; b++) inner[a * s + b] = solved[a * n + touched[b]];
      if (a >= numGone) inner[a * s + a] += 1 / (mu * growth[a - numGone]);
    }
    const turned = invert(inner, s);
    // Q^-1 P_S^T, s x n.
    const corrected = await this.#product(turned, solved, { m: s, n, k: s });
    await this.#subtract(reached, this.#at(reached, k, touched), corrected, { m: k, n, k: s });
    await context.yieldToHost?.();

    const schur = await this.#product(this.#toBase, reached, { m: k, n: k, k: n, transposeB: true });
    const { classIndices, counts, numClasses } = this.#parts.memory;
    for (let a = 0; a < k; a++) {
      for (let b = 0; b < k; b++) schur[a * k + b] = this.#parts.among[a * k + b] - schur[a * k + b];
      schur[a * k + a] += mu * counts[classIndices[came[a]]];
    }
    const schurInverse = invert(schur, k);

    const sides = this.#sidesBefore(before, solved);
    await context.yieldToHost?.();
    const atTouched = chosenRows(sides, numClasses, touched);
    await this.#subtract(sides, corrected, atTouched, { m: n, n: numClasses, k: s, transposeA: true });
    const rest = await this.#product(this.#toBase, sides, { m: k, n: numClasses, k: n });
    for (let i = 0; i < rest.length; i++) rest[i] = -rest[i];
    for (let b = 0; b < k; b++) rest[b * numClasses + classIndices[came[b]]] += 1;
    const added = await this.#product(schurInverse, rest, { m: k, n: numClasses, k });
    await this.#subtract(sides, reached, added, { m: n, n: numClasses, k, transposeA: true });
    await context.yieldToHost?.();
    const throughSchur = await this.#product(schurInverse, reached, { m: k, n, k });
    const diagonalNow = diagonal.slice();
    for (let a = 0; a < s; a++) for (let i = 0; i < n; i++) diagonalNow[i] -= solved[a * n + i] * corrected[a * n + i];
    for (let b = 0; b < k; b++)
      for (let i = 0; i < n; i++) diagonalNow[i] += reached[b * n + i] * throughSchur[b * n + i];
    return this.#inOrder(sides, diagonalNow, added, schurInverse);
  };

  /** `(K + mu N)^-1` times a unit vector for each row touched, and times the kernel values of each that came; each is solved once. */
  async #solvedColumns({ factor, columns }: KeptDual): Promise<Float64Array[]> {
    const keys = this.#keys;
    const { touched } = this.#parts.change;
    const fresh = [...new Set(keys)].filter((key) => !columns.has(key));
    const n = this.#parts.base.memory.numExamples;
    const count = fresh.length;
    const right = new Float64Array(n * count);
    for (const [at, key] of fresh.entries()) {
      const index = keys.indexOf(key);
      if (index < touched.length) right[touched[index] * count + at] = 1;
      else for (let i = 0; i < n; i++) right[i * count + at] = this.#parts.toAll[(index - touched.length) * n + i];
    }
    const solved = count > 0 ? await solveSymmetric(factor, right, count, this.#parts.context) : right;
    for (const [at, key] of fresh.entries()) {
      columns.set(
        key,
        Float64Array.from({ length: n }, (_, i) => solved[i * count + at]),
      );
    }
    return keys.map((key) => columns.get(key) as Float64Array);
  }

  /** Columns `touched` of `count` rows: count x touched. */
  #at(rows: Float64Array, count: number, touched: readonly number[]): Float64Array {
    const n = this.#parts.base.memory.numExamples;
    const out = new Float64Array(count * touched.length);
    for (let r = 0; r < count; r++) {
      for (const [a, row] of touched.entries()) out[r * touched.length + a] = rows[r * n + row];
    }
    return out;
  }

  /** The base's solutions for the classes of now, without the targets of examples that went. */
  #sidesBefore(before: Float64Array, solved: Float64Array): Float64Array {
    const { touched, numGone, classAfter } = this.#parts.change;
    const { classIndices, numClasses: width, numExamples: n } = this.#parts.base.memory;
    const { numClasses } = this.#parts.memory;
    const sides = new Float64Array(n * numClasses);
    for (const [b, c] of classAfter.entries()) {
      if (c < 0) continue;
      for (let i = 0; i < n; i++) sides[i * numClasses + c] = before[i * width + b];
    }
    for (let a = 0; a < numGone; a++) {
      const c = classAfter[classIndices[touched[a]]];
      if (c < 0) continue;
      for (let i = 0; i < n; i++) sides[i * numClasses + c] -= solved[a * n + i];
    }
    return sides;
  }

  #inOrder(sides: Float64Array, diagonal: Float64Array, added: Float64Array, schurInverse: Float64Array): DualSolution {
    const { came } = this.#parts.change;
    const { numClasses, numExamples } = this.#parts.memory;
    const coefficients = new Float64Array(numExamples * numClasses);
    const inverseDiagonal = new Float64Array(numExamples);
    for (const [i, from] of this.#parts.sources.entries()) {
      if (from < 0) continue;
      coefficients.set(sides.subarray(from * numClasses, (from + 1) * numClasses), i * numClasses);
      inverseDiagonal[i] = diagonal[from];
    }
    for (const [b, i] of came.entries()) {
      coefficients.set(added.subarray(b * numClasses, (b + 1) * numClasses), i * numClasses);
      inverseDiagonal[i] = schurInverse[b * came.length + b];
    }
    return { coefficients, inverseDiagonal };
  }

  async #product(a: Float64Array, b: Float64Array, shape: GemmShape): Promise<Float64Array> {
    const { m, n, k } = shape;
    return m * n * k === 0 ? new Float64Array(m * n) : this.#parts.context.gemm.f64(a, b, shape);
  }

  async #subtract(from: Float64Array, a: Float64Array, b: Float64Array, shape: GemmShape): Promise<void> {
    if (shape.m * shape.n * shape.k > 0) await subtractProduct(from, a, b, shape, this.#parts.context);
  }
}
