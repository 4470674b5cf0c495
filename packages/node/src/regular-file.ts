/** Looks before it reads: a named pipe would keep the reader waiting for ever, a device may never end. */

import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** What stands where a regular file should, in the words of a message; undefined for a regular file. */
export function otherThanFile(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** Whether a name in `path` is not UTF-8: what lists a folder decodes names, and what is no UTF-8 in them is lost. */
export function lostItsName(path: string): boolean {
  return path.includes('\ufffd');
}

/** `path` leads to something that is no regular file. */
export class NoRegularFile extends Error {
  override readonly name = 'NoRegularFile';
  /** What it is: `a named pipe`. */
  readonly found: string;

  constructor(path: string, found: string) {
    super(`${path} is ${found}`);
    this.found = found;
  }
}

/** @throws NoRegularFile; what the system says, of a missing file too */
export async function regularFileSize(path: string): Promise<number> {
  const stats = await stat(path);
  const found = otherThanFile(stats);
  if (found !== undefined) throw new NoRegularFile(path, found);
  return stats.size;
}

/** Reads `path` whole. @throws as `regularFileSize` */
export async function readRegularFile(path: string): Promise<Buffer<ArrayBuffer>> {
  await regularFileSize(path);
  return readFile(path);
}
