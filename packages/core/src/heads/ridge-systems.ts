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
  /** `solve` of the sides of the state's classes. Read the result. */
  solveSides(tolerance: number): Promise<Float64Array>;
  /** `solve` of rows that are the same in every state: kept systems solve those of a name once. Read the result. */
  solveFixed(name: string, rows: Float64Array, count: number, tolerance: number): Promise<Float64Array>;
  /**
   * `r^T (G + lambda I)^-1 r` of each row r, without refinement.
   * @param keys one a row, equal for equal rows: kept systems compute each form once
   * @returns Float64Array, count; the caller owns it
   */
  quadraticForms(rows: Float64Array, count: number, keys?: readonly string[]): Promise<Float64Array>;
}

/** The system of an absolute lambda. */
export type RidgeSystems = (lambda: number) => Promise<RidgeSystem>;

/** Systems that are factored for one state and forgotten. @param matrix G as `factoredSystem` takes it */
export function passingSystems(
  matrix: Float64Array | SymmetricPanels,
  order: number,
  sides: ClassSides,
  context: FitContext,
): RidgeSystems {
  return async (lambda) => {
    const system = await factoredSystem(matrix, order, lambda, context);
    const solve: RidgeSystem['solve'] = (rows, count, tolerance) => solveRows(system, order, rows, count, tolerance);
    return {
      solve,
      solveSides: (tolerance) => solve(sides.rows, sides.count, tolerance),
      solveFixed: (_, rows, count, tolerance) => solve(rows, count, tolerance),
      quadraticForms: (rows, count) => formsOfRows(system, order, rows, count),
    };
  };
}

/** `FactoredSystem.solve` on rows. */
export async function solveRows(
  system: FactoredSystem,
  order: number,
  rows: Float64Array,
  count: number,
  tolerance?: number,
): Promise<Float64Array> {
  const solved = await system.solve(transpose(rows, count, order), count, tolerance);
  return transpose(solved, order, count);
}

/** `FactoredSystem.quadraticForms` on rows. */
export function formsOfRows(
  system: FactoredSystem,
  order: number,
  rows: Float64Array,
  count: number,
): Promise<Float64Array> {
  return system.quadraticForms(transpose(rows, count, order), count);
}
