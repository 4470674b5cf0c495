/** What counts as a label: a non-empty Unicode text, the same however its accents are composed. */

import { ImprintError, describe } from '../errors.ts';

export const MAX_LABEL_LENGTH = 1000;

/** Any character that is seen: no space, control, mark of direction or joiner, nor the empty Braille pattern. */
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * The canonical form (NFC) of a label: `é` typed as one character or as `e` and an accent is one label.
 * @throws INVALID_LABEL where it is no string, blank, over 1,000 UTF-16 units, or holds half of a surrogate pair
 */
export function canonicalLabel(label: unknown): string {
  if (typeof label !== 'string') {
    throw new ImprintError('INVALID_LABEL', `Expected a string for the label, got ${describe(label)}.`);
  }
  const canonical = label.normalize('NFC');
  if (!VISIBLE.test(canonical)) {
    throw new ImprintError(
      'INVALID_LABEL',
      'Expected a label with at least one visible character, got a blank one. Name the class.',
    );
  }
  if (canonical.length > MAX_LABEL_LENGTH) {
    throw new ImprintError(
      'INVALID_LABEL',
      `Expected a label of at most ${MAX_LABEL_LENGTH} characters, got ${canonical.length}. Use a short name and keep the text elsewhere.`,
    );
  }
  if (/\p{Surrogate}/u.test(canonical)) {
    throw new ImprintError(
      'INVALID_LABEL',
      `Expected a label of whole Unicode characters, got ${describe(label)} with half of a surrogate pair. Check how the text was cut.`,
    );
  }
  return canonical;
}

/** Compares by UTF-16 units, the order of every canonical list: -1, 0 or 1. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
