/**
 * Linear ridge from sums alone (RanPAC's "Gram only" baseline): `(G + lambda I) W = S^T`, lambda by generalised
 * cross-validation. McDonnell et al., NeurIPS 2023, equation 6 without the projection.
 * One Gram matrix of all examples cannot be balanced by class, so here, unlike from examples, large classes weigh more.
 */

import type { DrawnExamples, FitContext, FittedHead, StatisticsMemory } from '../head.ts';
import { rowHash } from '../memory/match-rows.ts';
import { classSides } from './class-sides.ts';
import { choiceInWords } from './lambda-search.ts';
import { LinearScores } from './linear-scores.ts';
import { noExamples } from './nearest-class-mean.ts';
import { primalLambda, traceOf } from './primal-ridge.ts';
import { passingSystems, type RidgeSystem } from './ridge-systems.ts';
import { columnScales, tapGroups, tapWeights, weightedRows, type TapChoice, type TapGroup } from './tap-weights.ts';

/** @param given fixes lambda, relative to the mean squared length of an embedding */
export async function linearRidgeFromStatistics(
  name: string,
  statistics: StatisticsMemory,
  taps: TapChoice,
  context: FitContext,
  given?: number | readonly number[],
  drawn?: DrawnExamples,
): Promise<FittedHead> {
  const { numClasses, numExamples, width, sums, gram } = statistics;
  const groups = tapGroups(statistics.taps, statistics.dim, tapWeights(statistics.taps, taps));
  const scales = columnScales(groups);
  const order = scales.length;
  // The columns with a weight are the first ones: the first tap, or all.
  const scaled = new Float64Array(order * order);
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) scaled[i * order + j] = gram[i * width + j] * scales[i] * scales[j];
  }
  const cross = new Float64Array(numClasses * order);
  for (let c = 0; c < numClasses; c++) {
    for (let j = 0; j < order; j++) cross[c * order + j] = sums[c * width + j] * scales[j];
  }
  const trace = traceOf(scaled, order);
  const classSeeds = Int32Array.from({ length: numClasses }, (_, c) => rowHash(sums, c * width, width));
  const sides = await classSides(cross, classSeeds, order, context);
  const moments = { order, numExamples, trace, sides, targetSquares: numExamples };
  const systems = passingSystems(scaled, order, sides, context);
  const { lambda, absolute, tried } = await primalLambda(moments, systems, context, given);
  const system = await systems(absolute);
  const coefficients = await system.solve(cross, numClasses);
  const weights = new Float64Array(numClasses * width);
  for (let c = 0; c < numClasses; c++) {
    for (let j = 0; j < order; j++) weights[c * width + j] = coefficients[c * order + j] * scales[j];
  }
  const linear = await LinearScores.of({ width, numClasses, weights }, context);
  const leftOut = drawn && (await leaveOneOutScores(drawn, groups, width, linear, system, context));
  return {
    report: {
      head: name,
      parameters: { kernel: 'linear', lambda, form: 'statistics' },
      reason: `Linear ridge from sums, ${choiceInWords({ lambda, tried }, 'generalised cross-validation error')}.`,
    },
    numClasses,
    scoresInto: (codes, numQueries, out) => linear.scoresInto(codes, numQueries, out),
    scores: (codes, numQueries) => linear.scores(codes, numQueries, context),
    leaveOneOut: () => leftOut ?? noExamples(),
  };
}

/** `y - (y - s) / (1 - h)`, `h = x^T (G + lambda I)^-1 x` (Allen 1974, PRESS): no more than its own share can be an example's. */
async function leaveOneOutScores(
  { codes, classIndices }: DrawnExamples,
  groups: readonly TapGroup[],
  width: number,
  linear: LinearScores,
  system: RidgeSystem,
  context: FitContext,
): Promise<Float64Array> {
  const { numClasses } = linear;
  const count = classIndices.length;
  const scores = await linear.scores(codes, count, context);
  const forms = await system.quadraticForms(weightedRows(codes, count, width, groups), count);
  const left = Math.max(Number.EPSILON, 1 - forms.reduce((sum, form) => sum + form / count, 0));
  for (let i = 0, at = 0; i < count; i++) {
    for (let c = 0; c < numClasses; c++, at++) {
      const target = c === classIndices[i] ? 1 : 0;
      scores[at] = target - (target - scores[at]) / left;
    }
  }
  return scores;
}
