/**
 * Nearest class mean: cosine to each class's mean embedding, or minus half its squared Euclidean distance.
 * Mensink et al., Distance-Based Image Classification (TPAMI 2013), equation 3; as imprinted weights: Qi et al., CVPR 2018.
 * Leave-one-out takes the example out of its class's sum, exactly.
 */

import type { DrawnExamples, FitContext, FittedHead, Head, Memory, StatisticsMemory } from '../head.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { ImprintError } from '../errors.ts';
import { classMeans } from './class-balance.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { LinearScores, type LinearModel } from './linear-scores.ts';
import { columnScales, tapGroups, tapWeights, weightedRows, type TapChoice, type TapGroup } from './tap-weights.ts';

export interface NearestClassMeanOptions {
  /** Default `cosine`. */
  readonly metric?: 'cosine' | 'euclidean';
  /** Which taps, default `all`. */
  readonly taps?: TapChoice;
}

/** Examples left out at a time. */
const BLOCK_ROWS = 256;

/** The head `nearest-class-mean`, or with Euclidean distance `nearest-class-mean-euclidean`. */
export function nearestClassMean(options: NearestClassMeanOptions = {}): Head {
  const { metric = 'cosine', taps = 'all' } = options;
  const name = metric === 'cosine' ? 'nearest-class-mean' : 'nearest-class-mean-euclidean';
  const solve = (memory: Memory | StatisticsMemory): Solved => {
    const groups = tapGroups(memory.taps, memory.dim, tapWeights(memory.taps, taps));
    return { groups, metric, means: weightedMeans(memory, groups) };
  };
  const reason = `The ${metric === 'cosine' ? 'cosine' : 'distance'} to each class's mean needs nothing but one example a class.`;
  const fitted = async (
    memory: Memory | StatisticsMemory,
    solved: Solved,
    context: FitContext,
  ): Promise<Pick<FittedHead, 'numClasses' | 'scoresInto' | 'scores'>> => {
    const linear = await LinearScores.of(linearModel(solved, memory.width, memory.numClasses), context);
    return {
      numClasses: memory.numClasses,
      scoresInto: (codes, numQueries, out) => linear.scoresInto(codes, numQueries, out),
      scores: (codes, numQueries) => linear.scores(codes, numQueries, context),
    };
  };
  return {
    name,
    async fit(memory, context) {
      const solved = solve(memory);
      const rows = leaveOneOutRows(memory, context);
      const leftOut = await leaveOneOutScores(memory, solved, rows, context);
      const measured = leaveOneOutAccuracy(leftOut, rows, memory.classIndices, memory.counts);
      return {
        report: {
          head: name,
          parameters: { metric },
          ...(measured && { leaveOneOutAccuracy: measured.accuracy }),
          reason,
        },
        leaveOneOutRows: rows,
        leaveOneOut: () => leftOut,
        ...(await fitted(memory, solved, context)),
      };
    },
    async fitFromStatistics(statistics: StatisticsMemory, context: FitContext, drawn?: DrawnExamples) {
      const solved = solve(statistics);
      const rows = Int32Array.from(drawn?.classIndices.keys() ?? []);
      const leftOut = drawn && (await leaveOneOutScores({ ...statistics, ...drawn }, solved, rows, context));
      return {
        report: { head: name, parameters: { metric }, reason },
        leaveOneOut: () => leftOut ?? noExamples(),
        ...(await fitted(statistics, solved, context)),
      };
    },
  };
}

/** The error of every leave-one-out in statistics mode. */
export function noExamples(): never {
  throw new ImprintError(
    'UNSUPPORTED',
    "Expected examples for leave-one-out, got statistics mode, which keeps sums only. Use memory 'examples' for calibration and unknowns.",
  );
}

interface Solved {
  readonly metric: 'cosine' | 'euclidean';
  readonly groups: readonly TapGroup[];
  /** Float64Array, numClasses x columns of `groups`: weighted class means. */
  readonly means: Float64Array;
}

function weightedMeans(memory: Memory | StatisticsMemory, groups: readonly TapGroup[]): Float64Array {
  const means = classMeans(memory.sums, memory.counts, memory.width);
  return weightedRows(means, memory.numClasses, memory.width, groups);
}

const squaredLength = (vectors: Float64Array, offset: number, length: number): number => {
  let sum = 0;
  for (let i = offset; i < offset + length; i++) sum += vectors[i] * vectors[i];
  return sum;
};

/** Cosine: `<x, m> / |m|` (|x| is the same for all classes). Euclidean: `<x, m> - |m|^2 / 2`. A mean of zero scores 0. */
function linearModel({ metric, groups, means }: Solved, width: number, numClasses: number): LinearModel {
  const scales = columnScales(groups);
  const columns = scales.length;
  const weights = new Float64Array(numClasses * width);
  const offsets = new Float64Array(numClasses);
  for (let c = 0; c < numClasses; c++) {
    const squares = squaredLength(means, c * columns, columns);
    const factor = metric === 'euclidean' ? 1 : squares > 0 ? 1 / Math.sqrt(squares) : 0;
    if (metric === 'euclidean') offsets[c] = -squares / 2;
    let column = 0;
    for (const group of groups) {
      for (let j = 0; j < group.width; j++, column++) {
        weights[c * width + group.start + j] = means[c * columns + column] * scales[column] * factor;
      }
    }
  }
  return { width, numClasses, weights, offsets };
}

/**
 * Each example's scores with it taken out of its own class's sum: `m' = (S - x) / (N - 1)`. A class that it empties is stood in for by
 * the mean of the other class means: unknown, but not impossible. Sums are of integer codes and weighted last: a rest of zero is exactly 0.
 */
async function leaveOneOutScores(
  memory: Memory,
  solved: Solved,
  rows: Int32Array,
  context: FitContext,
): Promise<Float64Array> {
  const { codes, classIndices, counts, sums, width, numClasses } = memory;
  const { groups, means, metric } = solved;
  const columns = means.length / numClasses;
  const squares = Float64Array.from({ length: numClasses }, (_, c) => squaredLength(means, c * columns, columns));
  const scales = columnScales(groups);
  const places = Int32Array.from(
    groups.flatMap(({ start, width: own }) => Array.from({ length: own }, (_, j) => start + j)),
  );
  // Class means added up, apart those of classes of one example, which are integers.
  const singles = new Float64Array(columns);
  const others = new Float64Array(columns);
  for (let c = 0; c < numClasses; c++) {
    const into = counts[c] === 1 ? singles : others;
    for (let j = 0; j < columns; j++) into[j] += sums[c * width + places[j]] / counts[c];
  }
  const value = (dot: number, square: number): number =>
    metric === 'euclidean' ? dot - square / 2 : square > 0 ? dot / Math.sqrt(square) : 0;

  const out = new Float64Array(rows.length * numClasses);
  for (let first = 0; first < rows.length; first += BLOCK_ROWS) {
    context.signal?.throwIfAborted();
    const block = rows.subarray(first, first + BLOCK_ROWS);
    const chosen = chosenRows(codes, width, block);
    const examples = weightedRows(chosen, block.length, width, groups);
    const shape = { m: block.length, n: numClasses, k: columns, transposeB: true };
    const dots = await context.gemm.f64(examples, means, shape);
    for (const [r, i] of block.entries()) {
      const at = (first + r) * numClasses;
      for (let c = 0; c < numClasses; c++) out[at + c] = value(dots[r * numClasses + c], squares[c]);
      const own = classIndices[i];
      let dot = 0;
      let square = 0;
      for (let j = 0; j < columns; j++) {
        const sum = sums[own * width + places[j]];
        const rest =
          counts[own] > 1
            ? (sum - chosen[r * width + places[j]]) / (counts[own] - 1)
            : numClasses > 1
              ? (singles[j] - sum + others[j]) / (numClasses - 1)
              : 0;
        const without = rest * scales[j];
        dot += examples[r * columns + j] * without;
        square += without * without;
      }
      out[at + own] = value(dot, square);
    }
    await context.yieldToHost?.();
  }
  return out;
}
