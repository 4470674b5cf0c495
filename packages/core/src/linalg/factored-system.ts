/** `A + ridge I`, factored and ready to solve with: in f64 from a dense matrix, in f32 with refinement from panels. */

import { ImprintError } from '../errors.ts';
import type { FitContext } from '../head.ts';
import { choleskyFactor, choleskyFactor32, type CholeskyFactor, type SymmetricPanels } from './cholesky.ts';
import { solveLower, solveSymmetric } from './cholesky-solve.ts';
import { columnSquares } from './column-squares.ts';
import { solveRefined } from './refine.ts';

/** Relative residual of refined solutions by default. A step gains four digits or more, so that mostly less is left. */
const TOLERANCE = 1e-10;

export interface FactoredSystem {
  /** `f32` where solutions are refined; each is checked against the exact matrix. */
  readonly precision: 'f32' | 'f64';
  /**
   * `(A + ridge I)^-1 right`.
   * @param right Float64Array, order x count, row-major; not changed
   * @param tolerance of refined solutions, relative residual; default 1e-10
   * @returns Float64Array, order x count; the caller owns it
   */
  solve(right: Float64Array, count: number, tolerance?: number): Promise<Float64Array>;
  /**
   * `r^T (A + ridge I)^-1 r` of each column r of `right` in the factor's own precision, without refinement.
   * @returns Float64Array, count; the caller owns it
   */
  quadraticForms(right: Float64Array, count: number): Promise<Float64Array>;
}

/**
 * Factors `matrix + ridge I`. From panels it is done in f32, twice as fast and half as large, and once more in f64 where that
 * turns out to be too coarse.
 * @param matrix Float64Array, order x order, of which the lower triangle is read; or panels with whole diagonal blocks
 * @throws NOT_POSITIVE_DEFINITE naming the pivot
 */
export async function factoredSystem(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  ridge: number,
  context: FitContext,
): Promise<FactoredSystem> {
  if (matrix instanceof Float64Array) return doubleSystem(await choleskyFactor(matrix, order, context, ridge), context);
  let single: CholeskyFactor<Float32Array> | undefined;
  let double: FactoredSystem | undefined;
  const fallBack = async (): Promise<FactoredSystem> => {
    single = undefined;
    return (double ??= doubleSystem(await choleskyFactor(matrix, order, context, ridge), context));
  };
  try {
    single = await choleskyFactor32(matrix, order, context, ridge);
  } catch (error) {
    rethrowUnlessTooCoarse(error);
    return fallBack();
  }
  return {
    get precision() {
      return single === undefined ? 'f64' : 'f32';
    },
    async solve(right, count, tolerance = TOLERANCE) {
      if (single === undefined) return (await fallBack()).solve(right, count);
      try {
        return (await solveRefined(single, matrix, ridge, right, count, context, { tolerance })).x;
      } catch (error) {
        rethrowUnlessTooCoarse(error);
        return (await fallBack()).solve(right, count);
      }
    },
    async quadraticForms(right, count) {
      if (single === undefined) return (await fallBack()).quadraticForms(right, count);
      const singleRight = new Float32Array(right);
      await context.yieldToHost?.();
      return columnSquares(await solveLower(single, singleRight, count, context), count);
    },
  };
}

/** The system of a factor in f64. */
export function doubleSystem(factor: CholeskyFactor, context: FitContext): FactoredSystem {
  return {
    precision: 'f64',
    solve: (right, count) => solveSymmetric(factor, right, count, context),
    quadraticForms: async (right, count) => columnSquares(await solveLower(factor, right, count, context), count),
  };
}

function rethrowUnlessTooCoarse(error: unknown): void {
  if (!(error instanceof ImprintError && error.code === 'NOT_POSITIVE_DEFINITE')) throw error;
}
