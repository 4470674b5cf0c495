/** Heads by name, with their default parameters. */

import type { Head, StatisticsMemory } from '../head.ts';
import { chooseHead } from './choose.ts';
import { fitAutoFromStatistics } from './choose-from-statistics.ts';
import { classCovariance } from './class-covariance.ts';
import { discriminant } from './discriminant.ts';
import { requireHeadName, requireStatisticsHeadName } from './head-names.ts';
import { updateDual } from './dual-update.ts';
import { kernelRidge } from './kernel-ridge.ts';
import { nearestClassMean } from './nearest-class-mean.ts';
import { nearestExamples } from './nearest-examples.ts';
import { projectedRidge, rademacherRidge } from './projected-ridge.ts';

const METHODS = { rademacherRidge, updateDual };

const HEADS: ReadonlyMap<string, () => Head> = new Map([
  ['auto', () => ({ ...chooseHead(() => Promise.resolve(METHODS)), fitFromStatistics: fitAutoFromStatistics })],
  ['nearest-class-mean', () => nearestClassMean()],
  ['nearest-class-mean-euclidean', () => nearestClassMean({ metric: 'euclidean' })],
  ['discriminant', () => discriminant()],
  ['discriminant-oas', () => discriminant({ shrinkage: 'oas' })],
  ['discriminant-ledoit-wolf', () => discriminant({ shrinkage: 'ledoit-wolf' })],
  ['kernel-ridge', () => kernelRidge()],
  ['kernel-ridge-linear', () => kernelRidge({ kernel: 'linear' })],
  ['kernel-ridge-rbf', () => kernelRidge({ kernel: 'rbf' })],
  ['projected-ridge', () => projectedRidge()],
  ['projected-ridge-sparse-top-k', () => projectedRidge({ projection: 'sparse-top-k' })],
  ['projected-ridge-random-fourier', () => projectedRidge({ projection: 'random-fourier' })],
  ['class-covariance', () => classCovariance()],
  ['nearest-examples', () => nearestExamples()],
]);

/** The head of that name. @throws INVALID_ARGUMENT for another name */
export function headNamed(name: string): Head {
  requireHeadName(name);
  return HEADS.get(name)!();
}

/**
 * The head of that name for statistics mode. `auto` is the discriminant, or the prototype where no class has two examples
 * and so nothing is known of spread.
 * @throws INVALID_ARGUMENT for a name that is not in `STATISTICS_HEAD_NAMES`
 */
export function statisticsHeadNamed(
  name: string,
  statistics: StatisticsMemory,
): Required<Pick<Head, 'fitFromStatistics'>> {
  requireStatisticsHeadName(name);
  const automatic = statistics.counts.some((count) => count > 1) ? discriminant() : nearestClassMean();
  const { fitFromStatistics } = name === 'auto' ? automatic : headNamed(name);
  return { fitFromStatistics: fitFromStatistics! };
}
