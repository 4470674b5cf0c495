/**
 * One covariance a class, shrunk and normalised to correlations: `score_c(x) = -(x - m_c)^T R_c^-1 (x - m_c) / 2`.
 * FeCAM: Goswami et al., NeurIPS 2023, equations 5 (shrinkage `S + g1 V1 I + g2 V2 (1 - I)`), 6 (normalisation) and 3. The
 * matrix alone is normalised, not x: columns count by their correlations, however much they vary.
 * Leave-one-out by a rank-one downdate of the class's own matrix; divisor, shrinkage and normalisation are held.
 * We differ: unit embeddings without Tukey's transform, which is for features after a ReLU.
 */

import { ImprintError } from '../errors.ts';
import type { FitContext, FittedHead, Head, Memory } from '../head.ts';
import { choleskyFactor } from '../linalg/cholesky.ts';
import { solveLower } from '../linalg/cholesky-solve.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { tapGroups, tapWeights, weightedRows, type TapChoice, type TapGroup } from './tap-weights.ts';

export interface ClassCovarianceOptions {
  /** Which taps, default `last`: a matrix a class grows with the square of the width. */
  readonly taps?: TapChoice;
  /** g1, in units of the mean variance. Default 1. */
  readonly diagonalShrinkage?: number;
  /** g2, in units of the mean covariance. Default 1. */
  readonly offDiagonalShrinkage?: number;
}

/** With fewer examples a class its covariance is mostly noise: at few shots this head fell to a tenth of the others. */
export const MIN_CLASS_EXAMPLES = 20;
/** Entries of all class matrices together: 512 MB. */
const MAX_ENTRIES = 2 ** 26;
/** Queries measured at a time. */
const BLOCK_ROWS = 512;

/** The head `class-covariance`. @throws UNSUPPORTED (on fit) where a class has fewer than 20 examples */
export function classCovariance(options: ClassCovarianceOptions = {}): Head {
  return { name: 'class-covariance', fit: (memory, context) => fitClassCovariance(memory, options, context) };
}

interface ClassShape {
  /** Float64Array, columns x columns: `L^-1` of `R = L L^T`, so that distances are lengths of `whitener (x - mean)`. */
  readonly whitener: Float64Array;
  /** Float64Array, columns. */
  readonly mean: Float64Array;
  /** Float64Array, columns: roots of the diagonal of the shrunk covariance. */
  readonly deviations: Float64Array;
}

async function fitClassCovariance(
  memory: Memory,
  options: ClassCovarianceOptions,
  context: FitContext,
): Promise<FittedHead> {
  const { taps = 'last', diagonalShrinkage = 1, offDiagonalShrinkage = 1 } = options;
  const { classIndices, counts, numClasses, width, codes } = memory;
  const groups = tapGroups(memory.taps, memory.dim, tapWeights(memory.taps, taps));
  const columns = groups.reduce((sum, group) => sum + group.width, 0);
  refuseWhatItCannotCarry(counts, columns);
  const shapes: ClassShape[] = [];
  for (let c = 0, first = 0; c < numClasses; first += counts[c], c++) {
    context.signal?.throwIfAborted();
    const own = codes.subarray(first * width, (first + counts[c]) * width);
    const rows = weightedRows(own, counts[c], width, groups);
    shapes.push(await classShape(rows, counts[c], columns, diagonalShrinkage, offDiagonalShrinkage, context));
    await context.yieldToHost?.();
  }
  const { gemm, yieldToHost } = context;
  const measure = { shapes, groups, columns, width };
  const rows = leaveOneOutRows(memory, context);
  const chosen = chosenRows(codes, width, rows);
  const leftOut = await scoresOf(measure, chosen, rows.length, context);
  const left = weightedRows(chosen, rows.length, width, groups);
  for (const [r, i] of rows.entries()) {
    const own = classIndices[i];
    leftOut[r * numClasses + own] = -distanceLeftOut(left, r * columns, shapes[own], counts[own]) / 2;
  }
  const measured = leaveOneOutAccuracy(leftOut, rows, classIndices, counts);
  return {
    report: {
      head: 'class-covariance',
      parameters: { diagonalShrinkage, offDiagonalShrinkage },
      ...(measured && { leaveOneOutAccuracy: measured.accuracy }),
      reason: `Every class has at least ${MIN_CLASS_EXAMPLES} examples, enough for a covariance of its own.`,
    },
    numClasses,
    leaveOneOutRows: rows,
    leaveOneOut: () => leftOut,
    scoresInto: (queries, numQueries, out) => distancesInto(measure, queries, numQueries, out),
    scores: (queries, numQueries) =>
      scoresOf(measure, queries, numQueries, { gemm, ...(yieldToHost && { yieldToHost }) }),
  };
}

function refuseWhatItCannotCarry(counts: Int32Array, columns: number): void {
  const fewest = counts.reduce((least, count) => Math.min(least, count), Infinity);
  if (fewest < MIN_CLASS_EXAMPLES) {
    throw new ImprintError(
      'UNSUPPORTED',
      `Expected at least ${MIN_CLASS_EXAMPLES} examples of every class for head class-covariance, got a class of ${fewest}. Add examples, or use head 'auto'.`,
    );
  }
  if (counts.length * columns * columns > MAX_ENTRIES) {
    throw new ImprintError(
      'UNSUPPORTED',
      `Expected at most ${Math.floor(MAX_ENTRIES / (columns * columns))} classes of width ${columns} for head class-covariance, got ${counts.length}. Use head 'auto'.`,
    );
  }
}

/** @param rows Float64Array, count x columns: the class's weighted examples; overwritten */
async function classShape(
  rows: Float64Array,
  count: number,
  columns: number,
  diagonalShrinkage: number,
  offDiagonalShrinkage: number,
  context: FitContext,
): Promise<ClassShape> {
  const mean = new Float64Array(columns);
  for (let i = 0; i < rows.length; i++) mean[i % columns] += rows[i] / count;
  for (let i = 0; i < rows.length; i++) rows[i] -= mean[i % columns];
  const matrix = await context.gemm.f64(rows, rows, { m: columns, n: columns, k: count, transposeA: true });
  let diagonal = 0;
  let all = 0;
  for (let i = 0; i < matrix.length; i++) all += matrix[i] /= count - 1;
  for (let i = 0; i < columns; i++) diagonal += matrix[i * columns + i];
  const variance = diagonal / columns;
  const covariance = columns > 1 ? (all - diagonal) / (columns * (columns - 1)) : 0;
  const deviations = new Float64Array(columns);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      matrix[i * columns + j] += i === j ? diagonalShrinkage * variance : offDiagonalShrinkage * covariance;
    }
    // Examples that are all alike have no spread: their class is a sphere.
    if (!(variance > 1e-14)) matrix[i * columns + i] = 1;
    deviations[i] = Math.sqrt(matrix[i * columns + i]);
  }
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) matrix[i * columns + j] /= deviations[i] * deviations[j];
  }
  const factor = await choleskyFactor(matrix, columns, context);
  const identity = new Float64Array(columns * columns);
  for (let i = 0; i < columns; i++) identity[i * columns + i] = 1;
  return { whitener: await solveLower(factor, identity, columns, context), mean, deviations };
}

/**
 * The distance of row x of a class of `count` from what its others make of it. With `z = x - m`, `u = z / s`, `f = N / (N - 1)`:
 * `x - m' = f z` and `R' = R - a u u^T`, `a = f / (N - 1)`, so `d' = f^2 (z^T R^-1 z + a (z^T R^-1 u)^2 / (1 - a u^T R^-1 u))`.
 */
function distanceLeftOut(
  x: Float64Array,
  from: number,
  { whitener, mean, deviations }: ClassShape,
  count: number,
): number {
  const columns = mean.length;
  let [zz, zu, uu] = [0, 0, 0];
  for (let i = 0; i < columns; i++) {
    const row = i * columns;
    let [z, u] = [0, 0];
    for (let j = 0; j <= i; j++) {
      const part = whitener[row + j] * (x[from + j] - mean[j]);
      z += part;
      u += part / deviations[j];
    }
    zz += z * z;
    zu += z * u;
    uu += u * u;
  }
  const f = count / (count - 1);
  const a = f / (count - 1);
  return f * f * (zz + (a * zu * zu) / Math.max(Number.EPSILON, 1 - a * uu));
}

interface Measure {
  readonly shapes: readonly ClassShape[];
  readonly groups: readonly TapGroup[];
  readonly columns: number;
  readonly width: number;
}

/** Scores of queries, one by one: `-|whitener (x - mean)|^2 / 2`. */
function distancesInto(
  { shapes, groups, columns, width }: Measure,
  codes: Int8Array,
  count: number,
  out: Float64Array,
): void {
  const x = weightedRows(codes, count, width, groups);
  const z = new Float64Array(columns);
  for (const [c, { whitener, mean }] of shapes.entries()) {
    for (let q = 0; q < count; q++) {
      for (let i = 0; i < columns; i++) z[i] = x[q * columns + i] - mean[i];
      let squares = 0;
      for (let i = 0; i < columns; i++) {
        const row = i * columns;
        let sum = 0;
        for (let j = 0; j <= i; j++) sum += whitener[row + j] * z[j];
        squares += sum * sum;
      }
      out[q * shapes.length + c] = -squares / 2;
    }
  }
}

/** The same in blocks, with a turn of the host's event loop between them. */
async function scoresOf(measure: Measure, codes: Int8Array, count: number, context: FitContext): Promise<Float64Array> {
  const { shapes, width } = measure;
  const out = new Float64Array(count * shapes.length);
  for (let first = 0; first < count; first += BLOCK_ROWS) {
    context.signal?.throwIfAborted();
    const rows = Math.min(BLOCK_ROWS, count - first);
    const block = codes.subarray(first * width, (first + rows) * width);
    distancesInto(measure, block, rows, out.subarray(first * shapes.length));
    await context.yieldToHost?.();
  }
  return out;
}
