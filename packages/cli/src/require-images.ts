/** That what was named holds pictures. */

import { ImprintError } from '@imprint/core';
import type { ImageList } from '@imprint/node';

/** @throws NO_EXAMPLES where `named`, listed, gave no picture */
export function requireImages({ paths, ignored }: ImageList, named: readonly string[]): void {
  if (paths.length > 0) return;
  const closed = ignored.find(({ error }) => error !== undefined)?.error;
  const found = closed === undefined ? 'none. Check the path.' : `none that can be read. ${closed.message}`;
  throw new ImprintError('NO_EXAMPLES', `Expected images in ${named.join(', ')}, found ${found}`);
}
