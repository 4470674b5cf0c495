/**
 * Ridge regression from sums alone: `(G + lambda I) B = C`, lambda by generalised cross-validation on G, C and n alone.
 */

import type { FitContext } from '../head.ts';
import type { SymmetricPanels } from '../linalg/cholesky.ts';
import type { ClassSides } from './class-sides.ts';
import { crossValidation } from './cross-validation.ts';
import { bestLambda, lambdaGrid, searchLambda } from './lambda-search.ts';
import type { RidgeSystems } from './ridge-systems.ts';

export interface RidgeMoments {
  /** Number of features M. */
  readonly order: number;
  readonly numExamples: number;
  /** Trace of `G = sum_i w_i f_i f_i^T`. */
  readonly trace: number;
  /** Of `sum_i w_i y_i f_i^T`. */
  readonly sides: ClassSides;
  /** `sum_i w_i |y_i|^2`. */
  readonly targetSquares: number;
}

export interface PrimalLambda {
  /** Relative to the mean squared length of the features. */
  readonly lambda: number;
  /** What is added to the diagonal of G. */
  readonly absolute: number;
  /** How many values of lambda were compared; 0 where it was given. */
  readonly tried: number;
}

/** Chooses lambda; `given` fixes it (relative), or lists the values to choose from. */
export async function primalLambda(
  moments: RidgeMoments,
  systems: RidgeSystems,
  context: FitContext,
  given?: number | readonly number[],
): Promise<PrimalLambda> {
  const { numExamples, trace } = moments;
  const unit = trace > 0 ? trace / numExamples : 1;
  if (typeof given === 'number') return { lambda: given, absolute: given * unit, tried: 0 };
  const loss = crossValidation(moments, systems, context);
  if (given !== undefined) {
    const { lambda, tried } = await bestLambda(given, async (relative) => (await loss(relative * unit)).value);
    return { lambda, absolute: lambda * unit, tried };
  }
  const { step, rounded } = lambdaGrid(unit);
  const { lambda, tried } = await searchLambda((relative) => loss(relative * step), rounded, numExamples);
  const absolute = lambda * step;
  return { lambda: absolute / unit, absolute, tried };
}

export function traceOf(gram: Float64Array | SymmetricPanels, order: number): number {
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
