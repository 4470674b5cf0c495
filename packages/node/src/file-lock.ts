/** A lock between processes: a small file beside the one it guards, which the next process takes over when its owner is dead. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { expected, ImprintError, type AbortSignalLike } from '@imprint/core';
import { hostSignal } from './host-signal.ts';
import { readRegularFile } from './regular-file.ts';

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
/** The owner of a long lock touches it this often; untouched for `SILENT_MS`, its owner on another machine is taken for dead. */
const TOUCH_MS = 2_000;
const SILENT_MS = 30_000;

/** What `newToken` makes. A token becomes part of a path, so nothing else that a lock file may hold is taken for one. */
const TOKEN = /^[0-9a-f]{16}$/;

function newToken(): string {
  return randomBytes(8).toString('hex');
}

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

/** True where the owner on this machine certainly died; one on another machine is not judged. */
async function isDead({ pid, startedAt, host }: Owner): Promise<boolean> {
  if (host !== hostname()) return false;
  if (!isAlive(pid)) return true;
  const now = await startTime(pid);
  return startedAt !== undefined && now !== undefined && startedAt !== now;
}

async function readOwner(path: string): Promise<Owner | 'none' | 'unreadable'> {
  try {
    const text = (await readRegularFile(path)).toString('utf8');
    const { pid, startedAt, host, token } = JSON.parse(text) as Partial<Owner>;
    const isOwner = typeof pid === 'number' && typeof host === 'string' && typeof token === 'string';
    return isOwner && TOKEN.test(token) ? { pid, startedAt, host, token } : 'unreadable';
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

/** A long lock from another machine that nobody has touched for long. */
async function isSilent(path: string, { host }: Owner): Promise<boolean> {
  if (host === hostname()) return false;
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Date.now() - info.mtimeMs > SILENT_MS;
}

interface Acquire {
  readonly timeoutMs: number;
  /** Whether owners touch the lock, so that silence means death on any machine. */
  readonly isTouched: boolean;
  readonly isDone?: () => Promise<boolean>;
  readonly signal?: AbortSignalLike | undefined;
}

/** Waits for the lock and takes it; undefined where `isDone` came first. */
async function acquire(path: string, { timeoutMs, isTouched, isDone, signal }: Acquire): Promise<Owner | undefined> {
  const startedAt = await startTime(process.pid);
  const mine: Owner = { pid: process.pid, startedAt, host: hostname(), token: newToken() };
  const text = JSON.stringify(mine);
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await isDone?.()) return undefined;
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
    if (created) return mine;
    const owner = await readOwner(path);
    if (typeof owner === 'object' && ((await isDead(owner)) || (isTouched && (await isSilent(path, owner))))) {
      await removeDead(path, owner, mine);
    } else if (owner === 'unreadable') {
      await removeHalfWritten(path);
    }
    if (performance.now() > deadline) throw busy(path, owner, timeoutMs);
    await sleep(POLL_MS * (0.5 + Math.random()), undefined, hostSignal(signal)).catch(() => undefined);
  }
}

/** Removes the lock, unless another has taken it over while this process was suspended. */
async function release(path: string, mine: Owner): Promise<void> {
  const owner = await readOwner(path);
  if (typeof owner === 'object' && owner.token === mine.token) await rm(path, { force: true });
}

/** @throws INVALID_ARGUMENT */
export function requireTimeout(timeoutMs: number): void {
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 0))
    throw expected('timeoutMs', 'a number of milliseconds, 0 or more', timeoutMs);
}

export interface FileLockOptions {
  /** How long to wait for a living owner in another process; 0 or more, Infinity for ever. */
  readonly timeoutMs: number;
}

/** The last in line for each lock in this process: its own calls wait here, not at the file, and in order. */
const lines = new Map<string, Promise<unknown>>();
/** The locks that a call's callers hold. */
const held = new AsyncLocalStorage<readonly string[]>();

/**
 * Runs `action` while this process holds the lock file at `path`; calls of one process come one after the other.
 * @returns what `action` returned
 * @throws FILE_BUSY where another process keeps it longer than `timeoutMs`, or `action` asks for it again; FILE_UNWRITABLE where it
 *   cannot be created; INVALID_ARGUMENT for a `timeoutMs` that is no duration
 */
export async function withFileLock<T>(path: string, options: FileLockOptions, action: () => Promise<T>): Promise<T> {
  requireTimeout(options.timeoutMs);
  const outer = held.getStore() ?? [];
  if (outer.includes(path)) {
    const message = `Expected the lock ${path}, but this call runs inside one that holds it. Change what that one was given, or wait until it ends.`;
    throw new ImprintError('FILE_BUSY', message);
  }
  const before = lines.get(path);
  const turn = (async () => {
    await before?.catch(() => undefined);
    return held.run([...outer, path], () => locked(path, options, action));
  })();
  lines.set(path, turn);
  try {
    return await turn;
  } finally {
    if (lines.get(path) === turn) lines.delete(path);
  }
}

async function locked<T>(path: string, { timeoutMs }: FileLockOptions, action: () => Promise<T>): Promise<T> {
  const mine = (await acquire(path, { timeoutMs, isTouched: false })) as Owner;
  try {
    return await action();
  } finally {
    await release(path, mine);
  }
}

/**
 * Runs `work`, which may take long, while holding the lock at `path`; waits for another owner as long as it lives.
 * @param isDone looked at before each attempt: true ends the wait, and `work` is not run
 * @returns what `work` returned, or undefined where `isDone`
 * @throws the signal's reason, FILE_UNWRITABLE where the lock cannot be created
 */
export async function withLongFileLock<T>(
  path: string,
  isDone: () => Promise<boolean>,
  work: () => Promise<T>,
  signal?: AbortSignalLike,
): Promise<T | undefined> {
  const mine = await acquire(path, { timeoutMs: Infinity, isTouched: true, isDone, signal });
  if (mine === undefined) return undefined;
  const touch = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
  }, TOUCH_MS);
  touch.unref();
  try {
    return (await isDone()) ? undefined : await work();
  } finally {
    clearInterval(touch);
    await release(path, mine);
  }
}

function busy(path: string, owner: Owner | 'none' | 'unreadable', timeoutMs: number): ImprintError {
  const who = typeof owner === 'object' ? `process ${owner.pid} on ${owner.host} holds it` : 'others keep taking it';
  const next = `Wait for that process, or delete ${path} if it is gone.`;
  return new ImprintError('FILE_BUSY', `Expected the lock within ${timeoutMs / 1000} s, but ${who}. ${next}`);
}
