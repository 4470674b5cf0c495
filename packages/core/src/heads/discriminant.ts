/**
 * Linear discriminant with a shrunk pooled within-class covariance and balanced priors:
 * `score_c(x) = x^T P m_c - m_c^T P m_c / 2` (Fisher 1936; Hastie, Tibshirani, Friedman, equation 4.10, with equal priors).
 * Leave-one-out by rank-one downdates: without example i of class c, with z = x_i - m_c and f = N_c / (N_c - 1), the
 * scatter loses `f z z^T`, so `P' = P + f P z z^T P / (1 - f z^T P z)` and `m_c' = m_c - z / (N_c - 1)`; the shrinkage is held.
 */

import type { DrawnExamples, FitContext, FittedHead, Head, Memory, StatisticsMemory } from '../head.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { LinearScores, type LinearModel } from './linear-scores.ts';
import { noExamples } from './nearest-class-mean.ts';
import type { Shrinkage } from './shrinkage.ts';
import { columnScales, tapGroups, tapWeights, type TapChoice, type TapGroup } from './tap-weights.ts';
import { primalProducts, withinClassProducts, type WithinClassProducts } from './within-class-products.ts';

export interface DiscriminantOptions {
  /** Default `gda`. */
  readonly shrinkage?: Shrinkage;
  /** Which taps, default `all`. */
  readonly taps?: TapChoice;
}

/** The head `discriminant` (GDA's shrinkage), `discriminant-oas`, `discriminant-ledoit-wolf` or `discriminant-fixed`. */
export function discriminant(options: DiscriminantOptions = {}): Head {
  const { shrinkage = 'gda', taps = 'all' } = options;
  const name =
    shrinkage === 'gda' ? 'discriminant' : `discriminant-${typeof shrinkage === 'number' ? 'fixed' : shrinkage}`;
  const groupsOf = (memory: Memory | StatisticsMemory): TapGroup[] =>
    tapGroups(memory.taps, memory.dim, tapWeights(memory.taps, taps));
  return {
    name,
    async fit(memory, context) {
      const groups = groupsOf(memory);
      const rows = leaveOneOutRows(memory, context);
      const products = await withinClassProducts(memory, groups, shrinkage, rows, context);
      await context.yieldToHost?.();
      const leftOut = leaveOneOutScores(memory, products, rows);
      const measured = leaveOneOutAccuracy(leftOut, rows, memory.classIndices, memory.counts);
      const { report, ...fitted } = await fittedHead(name, memory, groups, products, context);
      return {
        ...fitted,
        report: { ...report, ...(measured && { leaveOneOutAccuracy: measured.accuracy }) },
        leaveOneOutRows: rows,
        leaveOneOut: () => leftOut,
      };
    },
    async fitFromStatistics(statistics: StatisticsMemory, context: FitContext, drawn?: DrawnExamples) {
      const groups = groupsOf(statistics);
      const memory = drawn && { ...statistics, ...drawn };
      const rows = Int32Array.from(drawn?.classIndices.keys() ?? []);
      const products = await primalProducts(statistics, groups, shrinkage, context, memory && { memory, rows });
      const leftOut = memory && leaveOneOutScores(memory, products, rows, true);
      return {
        ...(await fittedHead(name, statistics, groups, products, context)),
        leaveOneOut: () => leftOut ?? noExamples(),
      };
    },
  };
}

async function fittedHead(
  name: string,
  memory: Memory | StatisticsMemory,
  groups: readonly TapGroup[],
  products: WithinClassProducts,
  context: FitContext,
): Promise<Pick<FittedHead, 'report' | 'numClasses' | 'scoresInto' | 'scores'>> {
  const linear = await LinearScores.of(linearModel(products, groups, memory.width, memory.numClasses), context);
  const { intensity } = products.precision;
  return {
    report: {
      head: name,
      parameters: { shrinkage: intensity, form: products.form },
      reason:
        intensity < 1
          ? `A discriminant with one covariance for all classes, shrunk by ${intensity.toPrecision(2)} for ${memory.numExamples} examples.`
          : 'A discriminant without spread to learn from: no class has two different examples, so distances are Euclidean.',
    },
    numClasses: memory.numClasses,
    scoresInto: (codes, numQueries, out) => linear.scoresInto(codes, numQueries, out),
    scores: (codes, numQueries) => linear.scores(codes, numQueries, context),
  };
}

function linearModel(
  { classWeights, meanSquares, precision }: WithinClassProducts,
  groups: readonly TapGroup[],
  width: number,
  numClasses: number,
): LinearModel {
  const scales = columnScales(groups);
  const weights = new Float64Array(numClasses * width);
  let column = 0;
  for (const group of groups) {
    for (let j = 0; j < group.width; j++, column++) {
      const factor = scales[column] * precision.factor;
      for (let c = 0; c < numClasses; c++) {
        weights[c * width + group.start + j] = classWeights[column * numClasses + c] * factor;
      }
    }
  }
  return { width, numClasses, weights, offsets: meanSquares.map((square) => (-square * precision.factor) / 2) };
}

/**
 * Scores of each example from the discriminant without it. `areDrawn`: no example that was summed has a share `f z^T P z` of 1, but a drawn one
 * may, so all are given their mean. A class that it empties is stood in for by the mean of the other
 * classes' scores: unknown, but not impossible.
 */
function leaveOneOutScores(
  memory: Memory,
  products: WithinClassProducts,
  rows: Int32Array,
  areDrawn = false,
): Float64Array {
  const { classIndices, counts, numClasses } = memory;
  const { meanSquares, exampleMeans, deviationMeans, exampleSquares, precision } = products;
  const out = new Float64Array(rows.length * numClasses);
  // f, and products of z = x - m_own with itself.
  const weights = Float64Array.from(rows, (i) => {
    const count = counts[classIndices[i]];
    return count > 1 && precision.scatterWeight === 1 ? count / (count - 1) : 0;
  });
  const deviationSquares = Float64Array.from(rows, (i, r) => {
    const own = classIndices[i];
    return exampleSquares[r] - 2 * exampleMeans[r * numClasses + own] + meanSquares[own];
  });
  const meanShare = deviationSquares.reduce((sum, square, r) => sum + (weights[r] * square) / rows.length, 0);
  for (let r = 0; r < rows.length; r++) {
    const own = classIndices[rows[r]];
    const count = counts[own];
    const at = r * numClasses;
    const toOwn = exampleMeans[at + own];
    const deviationSquare = deviationSquares[r];
    const deviationExample = exampleSquares[r] - toOwn;
    const share = areDrawn ? meanShare : weights[r] * deviationSquare;
    const gain = weights[r] / Math.max(Number.EPSILON, 1 - share);
    let others = 0;
    for (let c = 0; c < numClasses; c++) {
      if (c === own) continue;
      const along = deviationMeans[at + c];
      const score =
        exampleMeans[at + c] + gain * deviationExample * along - (meanSquares[c] + gain * along * along) / 2;
      out[at + c] = score * precision.factor;
      others += out[at + c];
    }
    if (count === 1) {
      out[at + own] = numClasses > 1 ? others / (numClasses - 1) : 0;
      continue;
    }
    const step = 1 / (count - 1);
    const along = deviationMeans[at + own] - step * deviationSquare;
    const toMean = toOwn - step * deviationExample;
    const square = meanSquares[own] - 2 * step * deviationMeans[at + own] + step * step * deviationSquare;
    const score = toMean + gain * deviationExample * along - (square + gain * along * along) / 2;
    out[at + own] = score * precision.factor;
  }
  return out;
}
