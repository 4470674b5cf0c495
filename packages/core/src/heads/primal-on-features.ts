/** The primal problem of a ridge on random features: solved from an earlier state that is close, or from nothing. */

import type { FitContext, Memory } from '../head.ts';
import { carriedGram } from '../memory/carried-gram.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { gramByBytes, panelGram } from '../memory/panel-gram.ts';
import type { Projection } from '../projection/projection.ts';
import { carriedFeatures, sumsByClass } from './carried-features.ts';
import { classSeeds, classSides } from './class-sides.ts';
import { primalLambda, traceOf, type PrimalLambda } from './primal-ridge.ts';
import { crossOf, RidgeBase } from './ridge-base.ts';
import { passingSystems, type RidgeSystem, type RidgeSystems } from './ridge-systems.ts';
import { ridgeChange } from './ridge-change.ts';
import { UpdatedRidge } from './ridge-update.ts';

/** The Gram matrix of more features takes over 200 MB: its lower half alone is kept, for one solve. */
export const LARGEST_CARRIED = 5120;
/** Below, a solve from nothing takes some 50 ms. */
const LEAST_KEPT = 512;
/** Coefficients up to which a solved problem is kept for the next: 32 MB, and about twice as much for its factors. */
const MOST_KEPT = 2 ** 22;

export interface Problem {
  readonly memory: Memory;
  readonly projection: Projection;
  /** What features depend on besides the codes. */
  readonly parameters: string;
  readonly context: FitContext;
  readonly given: number | undefined;
}

/** A solved primal problem: what its leave-one-out scores are made of. */
export interface Primal extends PrimalLambda {
  /** Float64Array, numClasses x numFeatures; the caller owns it. */
  readonly coefficients: Float64Array;
  readonly system: RidgeSystem;
  readonly featuresOf: (rows: Int32Array) => Promise<Int8Array>;
}

/** From what an earlier state kept; undefined where there is none, or it is too far away. */
export async function updatedPrimal(problem: Problem, weights: Float64Array): Promise<Primal | undefined> {
  const { memory, projection, parameters, context, given } = problem;
  const { codes, width, numClasses, numExamples } = memory;
  const { numFeatures: order } = projection;
  const carried = context.carry?.take<RidgeBase>('ridge', parameters, codes, width);
  if (carried === undefined || numClasses * order > MOST_KEPT) return undefined;
  const project = (some: Int8Array, count: number): Promise<Int8Array> => projection.project(some, count, context);
  const seeds = classSeeds(memory);
  const present = { memory, sources: carried.sources, weights, seeds };
  const change = await ridgeChange(carried.value.sums, present, project, context);
  if (change === undefined) return undefined;
  const updated = new UpdatedRidge(carried.value, change, context);
  const { trace, sides } = change;
  const moments = { order, numExamples, trace, sides, targetSquares: sum(weights) };
  const chosen = await primalLambda(moments, updated.at, context, given);
  const coefficients = await updated.coefficients(chosen.absolute);
  if (coefficients === undefined) return undefined;
  const featuresOf = (rows: Int32Array): Promise<Int8Array> => project(chosenRows(codes, width, rows), rows.length);
  return { ...chosen, coefficients, system: await updated.at(chosen.absolute), featuresOf };
}

export async function freshPrimal(problem: Problem, weights: Float64Array): Promise<Primal> {
  const { memory, projection, parameters, context, given } = problem;
  const { classIndices, numExamples, numClasses, codes } = memory;
  const { numFeatures: order } = projection;
  const features = await carriedFeatures(projection, parameters, memory, context);
  const gramRows = { rows: features, width: order, columns: order, weights };
  const gram =
    order > LARGEST_CARRIED
      ? await panelGram(features, weights, order, context)
      : await carriedGram('feature-gram', parameters, codes, gramRows, context, false, () =>
          gramByBytes(features, weights, order, context),
        );
  const classSums = await sumsByClass(memory, features, order, context);
  const classWeights = new Float64Array(numClasses);
  for (const [i, c] of classIndices.entries()) classWeights[c] = weights[i];
  const cross = await crossOf(classSums, classWeights, order, context);
  const trace = traceOf(gram, order);
  const seeds = classSeeds(memory);
  const sides = await classSides(cross, seeds, order, context);
  const kept =
    gram instanceof Float64Array && context.carry && order > LEAST_KEPT && cross.length <= MOST_KEPT
      ? new RidgeBase({ order, codes, classIndices, weights, classSums, classWeights, gram, trace, seeds, sides })
      : undefined;
  const systems: RidgeSystems = kept
    ? (lambda) => kept.at(lambda, context)
    : passingSystems(gram, order, sides, context);
  // One-hot targets have length one.
  const moments = { order, numExamples, trace, sides, targetSquares: sum(weights) };
  const chosen = await primalLambda(moments, systems, context, given);
  const system = await systems(chosen.absolute);
  const coefficients = kept
    ? (await kept.coefficientsAt(chosen.absolute, context, cross)).slice()
    : await system.solve(cross, numClasses);
  if (kept) context.carry?.put('ridge', parameters, codes, kept);
  return { ...chosen, coefficients, system, featuresOf: async (rows) => chosenRows(features, order, rows) };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
