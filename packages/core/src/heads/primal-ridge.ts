/**
 * Ridge regression from sums alone: `(G + lambda I) B = C`, lambda by generalised cross-validation on G, C and n alone.
 */

import type { FitContext } from '../head.ts';
import type { SymmetricPanels } from '../linalg/cholesky.ts';
import { factoredSystem, type FactoredSystem } from '../linalg/factored-system.ts';
import { crossValidation } from './cross-validation.ts';
import { bestLambda, searchLambda, type LambdaChoice } from './lambda-search.ts';

export interface RidgeMoments {
  /** Number of features M. */
  readonly order: number;
  readonly numClasses: number;
  readonly numExamples: number;
  /** `sum_i w_i f_i f_i^T`: Float64Array, M x M, of which the lower triangle is read, or panels where M is large. */
  readonly gram: Float64Array | SymmetricPanels;
  /** Float64Array, M x numClasses: `sum_i w_i f_i y_i^T`. */
  readonly cross: Float64Array;
  /** `sum_i w_i |y_i|^2`. */
  readonly targetSquares: number;
}

export interface PrimalRidge {
  /** Float64Array, M x numClasses. */
  readonly coefficients: Float64Array;
  /** `G + lambda I`, factored. */
  readonly system: FactoredSystem;
  /** Relative to the mean squared length of the features. */
  readonly lambda: number;
  /** How many values of lambda were compared; 0 where it was given. */
  readonly tried: number;
}

/** Solves the ridge problem; `given` fixes lambda (relative), or lists the values to choose from. */
export async function primalRidge(
  moments: RidgeMoments,
  context: FitContext,
  given?: number | readonly number[],
): Promise<PrimalRidge> {
  const { order, numClasses, numExamples, gram, cross } = moments;
  const trace = traceOf(gram, order);
  const unit = trace > 0 ? trace / numExamples : 1;
  const choose = async (): Promise<LambdaChoice> => {
    if (typeof given === 'number') return { lambda: given, tried: 0 };
    const loss = await crossValidation(moments, unit, context);
    return given === undefined ? searchLambda(loss) : bestLambda(given, loss);
  };
  const { lambda, tried } = await choose();
  const system = await factoredSystem(gram, order, lambda * unit, context);
  return { system, coefficients: await system.solve(cross, numClasses), lambda, tried };
}

function traceOf(gram: Float64Array | SymmetricPanels, order: number): number {
  let trace = 0;
  if (gram instanceof Float64Array) {
    for (let i = 0; i < order; i++) trace += gram[i * order + i];
    return trace;
  }
  for (const [k, panel] of gram.panels.entries()) {
    const width = Math.min(gram.block, order - k * gram.block);
    for (let i = 0; i < width; i++) trace += panel[i * width + i];
  }
  return trace;
}
