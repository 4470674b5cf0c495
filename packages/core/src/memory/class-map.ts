/** Classes by label, whatever is kept of each: what both memories do with the map alone. */

import { ImprintError } from '../errors.ts';
import { compareText } from './label.ts';

export interface ClassSummary {
  readonly label: string;
  readonly count: number;
}

/** What is kept of a class. @throws CLASS_NOT_FOUND */
export function classRecord<Kept>(classes: ReadonlyMap<string, Kept>, label: string): Kept {
  const record = classes.get(label);
  if (record === undefined) throw classNotFound(label, classes.keys());
  return record;
}

/**
 * Gives a class another label.
 * @returns whether anything changed
 * @throws CLASS_NOT_FOUND; CLASS_EXISTS where `to` is another class
 */
export function renameKey<Kept>(classes: Map<string, Kept>, from: string, to: string): boolean {
  const record = classRecord(classes, from);
  if (from === to) return false;
  if (classes.has(to)) {
    throw new ImprintError(
      'CLASS_EXISTS',
      `Expected a new label for class ${JSON.stringify(from)}, got ${JSON.stringify(to)}, which is a class already. To join the two use mergeClasses.`,
    );
  }
  classes.delete(from);
  classes.set(to, record);
  return true;
}

/** The error for a label that is no class, with the classes there are. */
export function classNotFound(label: string, labels: Iterable<string>): ImprintError {
  const all = [...labels].sort(compareText);
  const known = all.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 40)));
  const list =
    all.length === 0
      ? 'there are no classes yet'
      : `classes are ${known.join(', ')}${all.length > 8 ? `, ... (${all.length})` : ''}`;
  return new ImprintError(
    'CLASS_NOT_FOUND',
    `Expected the label of a class, got ${JSON.stringify(label.slice(0, 60))}; ${list}.`,
  );
}
