/** That what was named is a folder. */

import { stat } from 'node:fs/promises';
import { ImprintError } from '@imprint/core';

/** @throws FILE_UNREADABLE */
export async function requireFolder(path: string): Promise<void> {
  let found = 'a file';
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    found = code === 'ENOENT' ? 'nothing' : (code ?? String(cause));
  }
  throw new ImprintError('FILE_UNREADABLE', `Expected a folder at ${path}, got ${found}. Check the path.`);
}
