/** The names that `head:` in the options and in a saved classifier may say; `head-named.ts` has the heads. */

import { expected } from '../errors.ts';

/** Every name that `headNamed` knows, the default first. */
export const HEAD_NAMES: readonly string[] = [
  'auto',
  'nearest-class-mean',
  'nearest-class-mean-euclidean',
  'discriminant',
  'discriminant-oas',
  'discriminant-ledoit-wolf',
  'kernel-ridge',
  'kernel-ridge-linear',
  'kernel-ridge-rbf',
  'projected-ridge',
  'projected-ridge-sparse-top-k',
  'projected-ridge-random-fourier',
  'class-covariance',
  'nearest-examples',
];

/** The heads that can be solved from sums alone, the default first. */
export const STATISTICS_HEAD_NAMES: readonly string[] = HEAD_NAMES.filter((name) =>
  /^(auto|nearest-class-mean.*|discriminant|discriminant-oas|kernel-ridge-linear)$/.test(name),
);

/** @throws INVALID_ARGUMENT for a name that no head has */
export function requireHeadName(name: string): void {
  if (!HEAD_NAMES.includes(name)) throw expected('head', `one of ${HEAD_NAMES.join(', ')}`, name);
}

/** @throws INVALID_ARGUMENT for a name that no head has which can be solved from sums alone */
export function requireStatisticsHeadName(name: string): void {
  requireHeadName(name);
  if (STATISTICS_HEAD_NAMES.includes(name)) return;
  throw expected('head', `one of ${STATISTICS_HEAD_NAMES.join(', ')} with memory "statistics"`, name);
}
