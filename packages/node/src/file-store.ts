/** A snapshot in a file: replaced whole or not at all, by one process at a time. */

import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, chmod, open, readdir, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { expected, ImprintError, requireOptions, type Store } from '@imprint/core';
import { requireTimeout, withFileLock } from './file-lock.ts';
import { NoRegularFile, otherThanFile, readRegularFile } from './regular-file.ts';

export interface FileStoreOptions {
  /** How long `exclusively` waits for another process. Default 10,000. */
  readonly timeoutMs?: number;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the quota is used up'],
  ['EFBIG', 'the file size limit is reached'],
  ['EACCES', 'no permission'],
  ['EPERM', 'no permission'],
  ['EROFS', 'a read-only file system'],
  ['ENOENT', 'no such folder'],
  ['ENOTDIR', 'a file where a folder should be'],
  ['EISDIR', 'a folder'],
  ['ENAMETOOLONG', 'a name that is too long'],
]);

/**
 * `fileStore(path)` keeps a snapshot in the file at `path`, which need not exist yet.
 * @throws INVALID_ARGUMENT for what is no path; FILE_UNREADABLE for a relative one where the current folder has been deleted
 */
export function fileStore(path: string, options: FileStoreOptions = {}): Store {
  const isFile = typeof path === 'string' && path !== '' && !path.endsWith('/') && !path.endsWith(sep);
  if (!isFile) throw expected('path', 'the path of a file', path, 'Give the folder and the name of the file.');
  const { timeoutMs = 10_000 } = requireOptions(options);
  requireTimeout(timeoutMs);
  return new FileStore(absolute(path), timeoutMs);
}

/** @throws FILE_UNREADABLE for a relative path where the current folder has been deleted */
function absolute(path: string): string {
  try {
    return resolve(path);
  } catch (cause) {
    const message = `Expected a current folder that the path ${path} starts from, got one that no longer exists. Change to another folder, or give an absolute path.`;
    throw new ImprintError('FILE_UNREADABLE', message, { cause });
  }
}

class FileStore implements Store {
  readonly location: string;
  readonly #timeoutMs: number;

  constructor(path: string, timeoutMs: number) {
    this.location = path;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws FILE_UNREADABLE for a folder, a pipe or a device, or without permission */
  async read(): Promise<Uint8Array | undefined> {
    try {
      return await readRegularFile(this.location);
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'ENOENT') return undefined;
      const found = cause instanceof NoRegularFile ? cause.found : (REASONS.get(code) ?? code);
      throw new ImprintError('FILE_UNREADABLE', `Expected a file at ${this.location}, got ${found}. Check the path.`, {
        cause,
      });
    }
  }

  /**
   * Writes a new file beside the old one, flushes it to the disk, and renames it over the old one, whose permissions it takes.
   * @throws FILE_UNWRITABLE; the old file then stands untouched, and nothing is left beside it
   */
  async write(bytes: Uint8Array): Promise<void> {
    const target = await this.#target();
    const old = await this.#checkTarget(target);
    const folder = dirname(target);
    const draft = join(folder, `.${basename(target)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
    try {
      const file = await open(draft, 'wx', old ? old.mode & 0o777 : 0o666);
      try {
        await file.writeFile(bytes);
        // open() applied the umask; an existing file's permissions are kept as they were.
        if (old) await chmod(draft, old.mode & 0o777);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, target);
    } catch (cause) {
      await rm(draft, { force: true });
      throw this.#unwritable(cause);
    }
    await syncFolder(folder);
    await removeDeadDrafts(folder, basename(target));
  }

  async exclusively<T>(action: () => Promise<T>): Promise<T> {
    const target = await this.#target();
    await this.#checkTarget(target);
    const lock = join(dirname(target), `.${basename(target)}.lock`);
    return withFileLock(lock, { timeoutMs: this.#timeoutMs }, action);
  }

  /** What a symbolic link points to: the link stays, its target is replaced. */
  async #target(): Promise<string> {
    try {
      return await realpath(this.location);
    } catch (cause) {
      if (codeOf(cause) !== 'ENOENT') throw this.#unwritable(cause);
      // A link to what is not there yet makes it.
      const link = await readlink(this.location).catch(() => undefined);
      return link === undefined ? this.location : resolve(dirname(this.location), link);
    }
  }

  async #checkTarget(target: string): Promise<Stats | undefined> {
    let old: Stats;
    try {
      old = await stat(target);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return undefined;
      throw this.#unwritable(cause);
    }
    const found = otherThanFile(old);
    if (found !== undefined) {
      const message = `Expected a file to write at ${this.location}, got ${found}. Give a file name.`;
      throw new ImprintError('FILE_UNWRITABLE', message);
    }
    // A rename would replace a write-protected file: its owner has said no.
    await access(target, constants.W_OK).catch((cause: unknown) => {
      throw this.#unwritable(cause);
    });
    return old;
  }

  #unwritable(cause: unknown): ImprintError {
    const code = codeOf(cause);
    const found = REASONS.get(code) ?? code;
    const message = `Expected to write ${this.location}, got ${found}. What was there before is unchanged; choose another place or make room.`;
    return new ImprintError('FILE_UNWRITABLE', message, { cause });
  }
}

/** Makes the rename itself durable; Windows cannot open a folder, and needs no flush for it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse to flush a folder; the file's own bytes are flushed.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error;
  } finally {
    await handle.close();
  }
}

/** Clears away what processes that were killed while writing or locking `name` have left. */
async function removeDeadDrafts(folder: string, name: string): Promise<void> {
  const prefix = `.${name}.`;
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(prefix)) continue;
    const match = /^(?:lock\.(?:[0-9a-f]+\.takeover\.)?)?(\d+)\.[0-9a-f]{8}\.tmp$/.exec(entry.slice(prefix.length));
    if (match === null || Number(match[1]) === process.pid) continue;
    try {
      process.kill(Number(match[1]), 0);
    } catch (error) {
      if (codeOf(error) === 'ESRCH') await rm(join(folder, entry), { force: true });
    }
  }
}
