/** Where downloaded backbones lie, and the record of what was fetched, against which every later fetch is held. */

import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { randomBytes } from 'node:crypto';
import { FieldReader, ImprintError } from '@imprint/core';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The cache folder: `IMPRINT_CACHE`, else `imprint` in `XDG_CACHE_HOME` (which must be absolute, as the XDG rules say),
 * else `~/.cache/imprint`; on Windows `%LOCALAPPDATA%\imprint\Cache`.
 */
export function cacheFolder(environment: Environment = process.env, platform: string = process.platform): string {
  const own = environment['IMPRINT_CACHE'];
  if (own) return resolve(own);
  const local = environment['LOCALAPPDATA'];
  if (platform === 'win32' && local) return join(local, 'imprint', 'Cache');
  const xdg = environment['XDG_CACHE_HOME'];
  if (xdg && isAbsolute(xdg)) return join(xdg, 'imprint');
  return join(homedir(), '.cache', 'imprint');
}

/** What a file was when it was first fetched and verified. */
export interface LockedFile {
  readonly repository: string;
  /** The commit, 40 hex digits. */
  readonly revision: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Where the files of hub backbone `name` lie. */
export function modelFolder(cache: string, name: string): string {
  return join(cache, 'models', name);
}

function lockPath(cache: string, name: string): string {
  return join(cache, 'locks', `${name}.json`);
}

const isSha = (digits: number) => (value: unknown) =>
  typeof value === 'string' && new RegExp(`^[0-9a-f]{${digits}}$`).test(value);

/**
 * The locked files of backbone `name`, by path in its repository.
 * @throws BACKBONE_INVALID where the record is damaged: guessing would give up what it is for
 */
export async function readLock(cache: string, name: string): Promise<Map<string, LockedFile>> {
  const path = lockPath(cache, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw new ImprintError('FILE_UNREADABLE', `Expected to read ${path}, got ${cause}. Check its permissions.`, {
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected JSON in ${path}, got text that is not. Run \`imprint models remove ${name} --unlock\`, then fetch again.`,
      {
        cause,
      },
    );
  }
  const files = new FieldReader(json, '', path).child('files');
  return new Map(
    Object.keys(files.object).map((file) => {
      const fields = files.child(file);
      return [
        file,
        {
          repository: fields.text('repository'),
          revision: fields.check('revision', '40 hex digits', isSha(40)),
          sizeBytes: fields.positiveInteger('sizeBytes'),
          sha256: fields.check('sha256', '64 hex digits', isSha(64)),
        },
      ];
    }),
  );
}

/** Writes `text` to `path` so that another process sees the old file or the new one, never a part. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new ImprintError(
      'FILE_UNWRITABLE',
      `Expected to write ${path}, got ${cause}. Check the folder's permissions and space.`,
      { cause },
    );
  }
}

/** Records `file` of backbone `name`. The caller holds the file's download lock, so no other process records the same file. */
export async function writeLock(cache: string, name: string, file: string, locked: LockedFile): Promise<void> {
  await mkdir(join(cache, 'locks'), { recursive: true });
  const files = await readLock(cache, name);
  files.set(file, locked);
  const sorted = Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeAtomically(lockPath(cache, name), `${JSON.stringify({ version: 1, files: sorted }, null, 2)}\n`);
}

/** Forgets what backbone `name` was locked to. */
export async function removeLock(cache: string, name: string): Promise<void> {
  await rm(lockPath(cache, name), { force: true });
}
