/** `G + lambda I` for the values of lambda that a ridge problem asks for, factored; kept, they also serve states a few rows away. */

import type { FitContext } from '../head.ts';
import type { SymmetricPanels } from '../linalg/cholesky.ts';
import { factoredSystem, type FactoredSystem } from '../linalg/factored-system.ts';
import { transpose } from '../linalg/transpose.ts';
import type { ClassSides } from './class-sides.ts';

/** One system; right-hand sides and solutions are rows. */
export interface RidgeSystem {
  /**
   * `(G + lambda I)^-1 r` of each row r.
   * @param rows Float64Array, count x order, row-major; not changed
   * @param tolerance of refined solutions, relative residual
   * @returns Float64Array, count x order; the caller owns it
   */
  solve(rows: Float64Array, count: number, tolerance?: number): Promise<Float64Array>;
  /**
   * `solve` of the sides of the state's classes and of signs, which are the same in every state: kept systems solve those once.
   * @param signs Float64Array, count x order; not changed
   * @returns read them, they may be kept
   */
  solveSidesAndSigns(signs: Float64Array, count: number, tolerance: number): Promise<SolvedProbes>;
  /**
   * `r^T (G + lambda I)^-1 r` of each row r, without refinement.
   * @param keys one a row, equal for equal rows: kept systems compute each form once
   * @returns Float64Array, count; the caller owns it
   */
  quadraticForms(rows: Float64Array, count: number, keys?: readonly string[]): Promise<Float64Array>;
}

export interface SolvedProbes {
  readonly sides: Float64Array;
  readonly signs: Float64Array;
}

/** The system of an absolute lambda. */
export type RidgeSystems = (lambda: number) => Promise<RidgeSystem>;

/** Systems that are factored for one state; the last one is at hand. @param matrix G as `factoredSystem` takes it */
export function passingSystems(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  sides: ClassSides,
  context: FitContext,
): RidgeSystems {
  let last: { readonly lambda: number; readonly system: RidgeSystem } | undefined;
  return async (lambda) => {
    if (last?.lambda === lambda) return last.system;
    // Not two factors at a time.
    last = undefined;
    const system = await factoredSystem(matrix, order, lambda, context);
    const solve: RidgeSystem['solve'] = (rows, count, tolerance) =>
      solveRows(system, order, rows, count, context, tolerance);
    last = {
      lambda,
      system: {
        solve,
        solveSidesAndSigns: (signs, count, tolerance) => solveTogether(solve, sides, signs, count, tolerance),
        quadraticForms: (rows, count) => formsOfRows(system, order, rows, count, context),
      },
    };
    return last.system;
  };
}

/** `FactoredSystem.solve` on rows. */
export async function solveRows(
  system: FactoredSystem,
  order: number,
  rows: Float64Array,
  count: number,
  { yieldToHost }: FitContext,
  tolerance?: number,
): Promise<Float64Array> {
  await yieldToHost?.();
  const right = transpose(rows, count, order);
  await yieldToHost?.();
  const solved = await system.solve(right, count, tolerance);
  await yieldToHost?.();
  return transpose(solved, order, count);
}

/** `FactoredSystem.quadraticForms` on rows. */
export async function formsOfRows(
  system: FactoredSystem,
  order: number,
  rows: Float64Array,
  count: number,
  { yieldToHost }: FitContext,
): Promise<Float64Array> {
  await yieldToHost?.();
  const right = transpose(rows, count, order);
  await yieldToHost?.();
  return system.quadraticForms(right, count);
}

/** Two right-hand sides as one. Signs are brought to the size of the sides, so that one residual speaks of both. */
async function solveTogether(
  solve: RidgeSystem['solve'],
  sides: ClassSides,
  signs: Float64Array,
  count: number,
  tolerance: number,
): Promise<SolvedProbes> {
  let size = Number.MIN_VALUE;
  for (let i = 0; i < sides.rows.length; i++) size = Math.max(size, Math.abs(sides.rows[i]));
  const both = new Float64Array(sides.rows.length + signs.length);
  both.set(sides.rows);
  for (let i = 0; i < signs.length; i++) both[sides.rows.length + i] = signs[i] * size;
  const solved = await solve(both, sides.count + count, tolerance);
  const [first, second] = [solved.subarray(0, sides.rows.length), solved.subarray(sides.rows.length)];
  for (let i = 0; i < second.length; i++) second[i] /= size;
  return { sides: first, signs: second };
}
