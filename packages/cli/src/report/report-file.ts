/** Where a report page goes: a new file, or the place of an earlier page. */

import { constants } from 'node:fs';
import { access, open, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ImprintError } from '@imprint/core';

const PAGE_START = '<!doctype html';

/** Looked at before the work begins. @throws FILE_UNWRITABLE for another kind of file, or a place that cannot be written */
export async function requireReportPlace(path: string): Promise<void> {
  let isFree: boolean;
  try {
    isFree = await isPage(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(path, cause);
    await access(dirname(resolve(path)), constants.W_OK).catch((reason: unknown) => {
      throw unwritable(path, reason);
    });
    return;
  }
  if (isFree) return;
  const message = `Expected nothing or an earlier report at ${path}, got another file. Choose another name, or delete it first.`;
  throw new ImprintError('FILE_UNWRITABLE', message);
}

/** Whether a file begins like a report, or is no file but a device or a pipe. */
async function isPage(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const stats = await file.stat();
    if (!stats.isFile() && !stats.isDirectory()) return true;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PAGE_START.length), 0, PAGE_START.length, 0);
    return buffer.toString('utf8', 0, bytesRead).toLowerCase() === PAGE_START;
  } finally {
    await file.close();
  }
}

/** @throws FILE_UNWRITABLE */
export async function writeReport(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): ImprintError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const message = `Expected to write the report to ${path}, got ${reason}. Choose another place.`;
  return new ImprintError('FILE_UNWRITABLE', message, { cause });
}
