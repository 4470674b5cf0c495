/** Where a report page goes: a new file, or the place of an earlier report. */

import { constants } from 'node:fs';
import { access, open, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ImprintError } from '@imprint/core';
import { fileStore } from '@imprint/node';
import { REPORT_MARK } from './report-mark.ts';

const START_BYTES = 1024;

/**
 * Looked at before the work begins.
 * @throws FILE_UNWRITABLE for another kind of file, or a place that cannot be written; INVALID_ARGUMENT for a folder's path
 */
export async function requireReportPlace(path: string): Promise<void> {
  fileStore(path);
  try {
    const found = await otherThanReport(path);
    if (found !== undefined) {
      const message = `Expected nothing or an earlier report at ${path}, got ${found}. Choose another name, or delete it first.`;
      throw new ImprintError('FILE_UNWRITABLE', message);
    }
    // The new report is drafted beside the old one.
    await access(dirname(await realpath(path)), constants.W_OK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(path, cause);
    await access(dirname(resolve(path)), constants.W_OK).catch((reason: unknown) => {
      throw unwritable(path, reason);
    });
  }
}

/** What stands at `path`, where that is no report. Opens regular files only: a pipe would keep it waiting for ever. */
async function otherThanReport(path: string): Promise<string | undefined> {
  const stats = await stat(path);
  if (!stats.isFile()) return stats.isDirectory() ? 'a folder' : 'a pipe or device';
  // For writing too: a write-protected report is not replaced.
  const file = await open(path, 'r+');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(START_BYTES), 0, START_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead).includes(REPORT_MARK) ? undefined : 'another file';
  } finally {
    await file.close();
  }
}

/** Replaces an earlier report whole or not at all. @throws FILE_UNWRITABLE */
export async function writeReport(path: string, page: string): Promise<void> {
  await fileStore(path).write(new TextEncoder().encode(page));
}

function unwritable(path: string, cause: unknown): ImprintError {
  if (cause instanceof ImprintError) return cause;
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const message = `Expected to write the report to ${path}, got ${reason}. Choose another place.`;
  return new ImprintError('FILE_UNWRITABLE', message, { cause });
}
