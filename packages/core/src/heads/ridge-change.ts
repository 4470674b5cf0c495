/** What tells a state of a ridge problem on features from one that was solved: the rows that came, went or count otherwise. */

import type { FitContext, Memory } from '../head.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { rowKey } from '../memory/match-rows.ts';
import { PROBES, randomSigns, type ClassSides } from './class-sides.ts';
import { crossOf, type RidgeSums } from './ridge-base.ts';

/** Rows that may have come, gone or changed their weight, as a share of the order: beyond, a new start costs less. */
const MOST_CHANGED = 1 / 8;

export interface RidgeChange {
  /**
   * Float64Array, (count + reseeded) x order: features of the rows that count otherwise than in the base, then, where a class has other
   * signs than before, the sum of its rows in the base.
   */
  readonly rows: Float64Array;
  /** One a row, equal for equal rows. */
  readonly keys: readonly string[];
  /** Float64Array, count: by how much more a row counts. */
  readonly weights: Float64Array;
  /** Int32Array, count: the class of a row, or -1 where it went together with its class. */
  readonly owners: Int32Array;
  /** Int32Array, numClasses: the class of the base that a class continues, or -1. */
  readonly classBefore: Int32Array;
  /** Int32Array, numClasses. */
  readonly seeds: Int32Array;
  readonly sides: ClassSides;
  /** Float64Array, sides x rows: what each row adds to the sides of the base. */
  readonly sideFactors: Float64Array;
  readonly trace: number;
}

/** A state beside the base. */
export interface PresentRows {
  readonly memory: Memory;
  /** Int32Array, numExamples: where each row stood in the base, or -1. */
  readonly sources: Int32Array;
  /** Float64Array, numExamples: integers, one for all examples of a class. */
  readonly weights: Float64Array;
  /** Int32Array, numClasses: numbers that go with what is in each class. */
  readonly seeds: Int32Array;
}

/**
 * @param project features of codes, rows x order
 * @returns undefined where too much has changed
 */
export async function ridgeChange(
  base: RidgeSums,
  present: PresentRows,
  project: (codes: Int8Array, count: number) => Promise<Int8Array>,
  context: FitContext,
): Promise<RidgeChange | undefined> {
  const moved = movedRows(base, present);
  if (moved === undefined) return undefined;
  const { came, went, reweighted, classBefore } = moved;
  const { memory, sources, weights, seeds } = present;
  // One side a class, or signs: what was solved of the one says nothing of the other.
  if (base.seeds.length <= PROBES !== seeds.length <= PROBES) return undefined;
  const { classIndices, codes, width } = memory;
  const now = [...came, ...reweighted];
  const changedCodes = new Int8Array((now.length + went.length) * width);
  changedCodes.set(chosenRows(codes, width, now));
  changedCodes.set(chosenRows(base.codes, width, went), now.length * width);
  const count = now.length + went.length;
  const features = await project(changedCodes, count);

  const presentOf = new Map([...classBefore.entries()].map(([c, from]): [number, number] => [from, c]));
  const differences = Float64Array.from([
    ...came.map((i) => weights[i]),
    ...reweighted.map((i) => weights[i] - base.weights[sources[i]]),
    ...went.map((i) => -base.weights[i]),
  ]);
  const owners = Int32Array.from([
    ...now.map((i) => classIndices[i]),
    ...went.map((i) => presentOf.get(base.classIndices[i]) ?? -1),
  ]);
  const reseeded = [...seeds.keys()].filter((c) => classBefore[c] >= 0 && base.seeds[classBefore[c]] !== seeds[c]);
  const before = reseeded.map((c) => classBefore[c]);
  const rows = new Float64Array((count + reseeded.length) * base.order);
  rows.set(features);
  rows.set(await crossOfBase(base, before, context), features.length);
  const keys = [
    ...Array.from({ length: count }, (_, r) => rowKey(changedCodes, width, r)),
    ...before.map((b) => `class ${b}`),
  ];
  const signsOf = (r: number): number =>
    owners[r] < 0 ? base.seeds[base.classIndices[went[r - now.length]]] : seeds[owners[r]];
  const sideFactors =
    base.sides.share < 1
      ? factorsOfSigns(
          differences,
          signsOf,
          reseeded.map((c) => [base.seeds[classBefore[c]], seeds[c]]),
        )
      : factorsOfClasses(differences, owners, seeds.length, reseeded.length);
  const sides = await changedSides(base, classBefore, rows, sideFactors, context);
  const trace = traceWith(base, rows, differences);
  return { rows, keys, weights: differences, owners, classBefore, seeds, sides, sideFactors, trace };
}

/** `sum_i w_i f_i` of classes of the base. */
function crossOfBase(
  { order, classSums, classWeights }: RidgeSums,
  classes: readonly number[],
  context: FitContext,
): Promise<Float64Array> {
  return crossOf(chosenRows(classSums, order, classes), chosenRows(classWeights, 1, classes), order, context);
}

/** Every side takes a row times its weight and its class's sign. Sides x rows. */
function factorsOfSigns(
  weights: Float64Array,
  seedOf: (row: number) => number,
  reseeded: readonly (readonly number[])[],
): Float64Array {
  const numRows = weights.length + reseeded.length;
  const factors = new Float64Array(PROBES * numRows);
  for (let r = 0; r < numRows; r++) {
    const pair = r < weights.length ? undefined : reseeded[r - weights.length];
    const signs = randomSigns(PROBES, pair ? pair[1] : seedOf(r));
    const old = pair && randomSigns(PROBES, pair[0]);
    for (let p = 0; p < PROBES; p++) {
      factors[p * numRows + r] = old ? signs[p] - old[p] : weights[r] * signs[p];
    }
  }
  return factors;
}

/** A class's own side takes its rows. Classes x rows. */
function factorsOfClasses(
  weights: Float64Array,
  owners: Int32Array,
  numClasses: number,
  reseeded: number,
): Float64Array {
  const numRows = weights.length + reseeded;
  const factors = new Float64Array(numClasses * numRows);
  for (const [r, c] of owners.entries()) if (c >= 0) factors[c * numRows + r] = weights[r];
  return factors;
}

interface MovedRows {
  /** Rows of the present that the base has not. */
  readonly came: readonly number[];
  /** Rows of the present that count otherwise than in the base. */
  readonly reweighted: readonly number[];
  /** Rows of the base alone. */
  readonly went: readonly number[];
  /** Int32Array, numClasses: the class of the base that rows of a class come from, or -1. */
  readonly classBefore: Int32Array;
}

/** Undefined where there are too many, or where classes were cut in two or exchanged rows. */
function movedRows(base: RidgeSums, { memory, sources, weights }: PresentRows): MovedRows | undefined {
  const { classIndices, numClasses } = memory;
  const most = base.order * MOST_CHANGED;
  const stayed = new Uint8Array(base.classIndices.length);
  const classBefore = new Int32Array(numClasses).fill(-1);
  const taken = new Set<number>();
  const came: number[] = [];
  const reweighted: number[] = [];
  for (const [i, c] of classIndices.entries()) {
    const from = sources[i];
    if (from < 0) came.push(i);
    else {
      const before = base.classIndices[from];
      stayed[from] = 1;
      if (base.weights[from] !== weights[i]) reweighted.push(i);
      if (classBefore[c] !== before) {
        if (classBefore[c] >= 0 || taken.has(before)) return undefined;
        classBefore[c] = before;
        taken.add(before);
      }
    }
    if (came.length + reweighted.length > most) return undefined;
  }
  const went: number[] = [];
  for (let i = 0; i < stayed.length; i++) if (stayed[i] === 0) went.push(i);
  return came.length + reweighted.length + went.length > most ? undefined : { came, reweighted, went, classBefore };
}

function traceWith({ order, trace }: RidgeSums, rows: Float64Array, weights: Float64Array): number {
  let sum = trace;
  for (let r = 0; r < weights.length; r++) {
    let square = 0;
    for (let at = r * order; at < (r + 1) * order; at++) square += rows[at] * rows[at];
    sum += weights[r] * square;
  }
  return sum;
}

/** The sides of the present: those of the base, and what the rows add. */
async function changedSides(
  { order, sides }: RidgeSums,
  classBefore: Int32Array,
  rows: Float64Array,
  sideFactors: Float64Array,
  { gemm }: FitContext,
): Promise<ClassSides> {
  const before = sidesBefore(sides.rows, sides.share, classBefore, order);
  const count = before.length / order;
  const added = await gemm.f64(sideFactors, rows, { m: count, n: order, k: rows.length / order });
  for (let i = 0; i < added.length; i++) before[i] += added[i];
  return { rows: before, count, share: sides.share };
}

/** Rows of the base's sides, or of their solutions, in the order of the present; the caller owns them. */
export function sidesBefore(rows: Float64Array, share: number, classBefore: Int32Array, order: number): Float64Array {
  if (share < 1) return rows.slice();
  const out = new Float64Array(classBefore.length * order);
  for (const [c, from] of classBefore.entries()) {
    if (from >= 0) out.set(rows.subarray(from * order, (from + 1) * order), c * order);
  }
  return out;
}
