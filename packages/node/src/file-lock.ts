/** A lock between processes: a small file beside the one it guards, which the next process takes over when its owner is dead. */

import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImprintError } from '@imprint/core';

interface Owner {
  readonly pid: number;
  /** When the process began, in clock ticks since boot; undefined where the system does not tell (not Linux). */
  readonly startedAt: string | undefined;
  readonly host: string;
  readonly token: string;
}

const POLL_MS = 40;
/** An unreadable lock file this old was left by a process that died while writing it. */
const HALF_WRITTEN_MS = 5_000;

/** A process id comes back after a while, its start time does not: field 22 of /proc/PID/stat. */
async function startTime(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it lives, under another user
  }
}

/** True where the owner certainly died; a lock from another machine is never judged. */
async function isDead({ pid, startedAt, host }: Owner): Promise<boolean> {
  if (host !== hostname()) return false;
  if (!isAlive(pid)) return true;
  const now = await startTime(pid);
  return startedAt !== undefined && now !== undefined && startedAt !== now;
}

async function readOwner(path: string): Promise<Owner | 'none' | 'unreadable'> {
  try {
    const owner = JSON.parse(await readFile(path, 'utf8')) as Partial<Owner>;
    const complete = typeof owner.pid === 'number' && typeof owner.host === 'string' && typeof owner.token === 'string';
    return complete ? (owner as Owner) : 'unreadable';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'unreadable';
  }
}

/** Puts a complete file at `path` in one step; false where there is one already. */
async function createWhole(path: string, text: string): Promise<boolean> {
  // Named like a store's drafts, which clears them away should this process be killed here.
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(draft, text, { flag: 'wx' });
    await link(draft, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  // A file system without hard links: the file may then be seen half-written, which `HALF_WRITTEN_MS` deals with.
  try {
    const file = await open(path, 'wx');
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a dead owner's lock. A token is used once, so whoever creates `path.token.takeover` is alone in judging this lock,
 * and looks again before removing it: a lock that a third process has created since cannot be hit.
 */
async function removeDead(path: string, dead: Owner, mine: Owner): Promise<void> {
  const takeover = `${path}.${dead.token}.takeover`;
  if (!(await createWhole(takeover, JSON.stringify(mine)))) {
    const other = await readOwner(takeover);
    if (typeof other === 'object' && (await isDead(other))) await rm(takeover, { force: true });
    return;
  }
  try {
    const now = await readOwner(path);
    if (typeof now === 'object' && now.token === dead.token) await rm(path, { force: true });
  } finally {
    await rm(takeover, { force: true });
  }
}

async function removeHalfWritten(path: string): Promise<void> {
  try {
    if (Date.now() - (await stat(path)).mtimeMs > HALF_WRITTEN_MS) await rm(path, { force: true });
  } catch {
    // It is gone already.
  }
}

export interface FileLockOptions {
  /** How long to wait for a living owner. */
  readonly timeoutMs: number;
}

/**
 * Runs `action` while this process holds the lock file at `path`.
 * @returns what `action` returned
 * @throws FILE_BUSY where a living owner keeps it longer than `timeoutMs`; FILE_UNWRITABLE where it cannot be created
 */
export async function withFileLock<T>(
  path: string,
  { timeoutMs }: FileLockOptions,
  action: () => Promise<T>,
): Promise<T> {
  const startedAt = await startTime(process.pid);
  const mine: Owner = { pid: process.pid, startedAt, host: hostname(), token: randomBytes(8).toString('hex') };
  const text = JSON.stringify(mine);
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let created: boolean;
    try {
      created = await createWhole(path, text);
    } catch (cause) {
      const { code = 'an error' } = cause as NodeJS.ErrnoException;
      const next = 'Check that the folder exists, may be written to and has space.';
      throw new ImprintError('FILE_UNWRITABLE', `Expected to create the lock file ${path}, got ${code}. ${next}`, {
        cause,
      });
    }
    if (created) break;
    const owner = await readOwner(path);
    if (typeof owner === 'object' && (await isDead(owner))) {
      await removeDead(path, owner, mine);
    } else if (owner === 'unreadable') {
      await removeHalfWritten(path);
    }
    if (performance.now() > deadline) throw busy(path, owner, timeoutMs);
    await sleep(POLL_MS * (0.5 + Math.random()));
  }
  try {
    return await action();
  } finally {
    const owner = await readOwner(path);
    if (typeof owner === 'object' && owner.token === mine.token) await rm(path, { force: true });
  }
}

function busy(path: string, owner: Owner | 'none' | 'unreadable', timeoutMs: number): ImprintError {
  const who = typeof owner === 'object' ? `process ${owner.pid} on ${owner.host} holds it` : 'others keep taking it';
  const next = `Wait for that process, or delete ${path} if it is gone.`;
  return new ImprintError('FILE_BUSY', `Expected the lock within ${timeoutMs / 1000} s, but ${who}. ${next}`);
}
