/** Heads by name: what `head:` in the options and in a saved classifier may say. */

import { expected } from '../errors.ts';
import type { Head } from '../head.ts';
import { chooseHead } from './choose.ts';
import { discriminant } from './discriminant.ts';
import { kernelRidge } from './kernel-ridge.ts';
import { nearestClassMean } from './nearest-class-mean.ts';

const HEADS: ReadonlyMap<string, () => Head> = new Map([
  ['auto', chooseHead],
  ['nearest-class-mean', () => nearestClassMean()],
  ['nearest-class-mean-euclidean', () => nearestClassMean({ metric: 'euclidean' })],
  ['discriminant', () => discriminant()],
  ['kernel-ridge', () => kernelRidge()],
  ['kernel-ridge-linear', () => kernelRidge({ kernel: 'linear' })],
  ['kernel-ridge-rbf', () => kernelRidge({ kernel: 'rbf' })],
]);

/** Every name that `headNamed` knows, the default first. */
export const HEAD_NAMES: readonly string[] = [...HEADS.keys()];

/** The head of that name with its default parameters. @throws INVALID_ARGUMENT for another name */
export function headNamed(name: string): Head {
  const make = HEADS.get(name);
  if (make === undefined) throw expected('head', `one of ${HEAD_NAMES.join(', ')}`, name);
  return make();
}
