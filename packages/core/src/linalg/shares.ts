/** How work is dealt out to this thread and its helpers. */

import type { HelperLine } from './helper-line.ts';

/** Multiplications in the time that one number takes on its way there or back, and those in the time of a task's messages. */
const PER_NUMBER = 48;
const PER_TASK = 2 ** 22;
/** What is saved is so much more than what is lost, at least. */
const LEAST_GAIN = 1.2;

/**
 * Whether helpers save time.
 * @param saved multiplications that are not done here
 * @param moved numbers that go there and come back, all helpers together
 */
export function pays(saved: number, moved: number, helpers: number): boolean {
  return saved > LEAST_GAIN * (moved * PER_NUMBER + helpers * PER_TASK);
}

/** Parts have whole groups of so many rows. */
const GROUP = 32;

export function wholeGroups(rows: number): number {
  return Math.round(rows / GROUP) * GROUP;
}

export interface Share {
  readonly line: HelperLine;
  /** Its rows, up to the one before `end`. */
  readonly first: number;
  readonly end: number;
}

/** The rows from `first` to `end`, for each helper some whole groups of them. */
export function split(first: number, end: number, lines: readonly HelperLine[]): Share[] {
  const cut = (p: number): number =>
    p === lines.length ? end : first + wholeGroups(((end - first) * p) / lines.length);
  return lines.map((line, p) => ({ line, first: cut(p), end: cut(p + 1) }));
}
