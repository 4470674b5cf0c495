/** A lock between processes: one downloads, the others wait, and a dead owner's lock is taken over. */

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImprintError } from '@imprint/core';

/** The owner touches its lock this often; a lock untouched for `STALE_MS` has no owner, whatever machine it was on. */
const TOUCH_MS = 2_000;
const STALE_MS = 30_000;
const POLL_MS = 150;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** True where the lock's owner is dead: gone from this machine, or silent for long. */
async function isStale(path: string, text: string): Promise<boolean> {
  let ageMs: number;
  try {
    ageMs = Date.now() - (await stat(path)).mtimeMs;
  } catch {
    return false;
  }
  if (ageMs > STALE_MS) return true;
  try {
    const owner = JSON.parse(text) as Partial<Owner>;
    return owner.host === hostname() && typeof owner.pid === 'number' && !isAlive(owner.pid);
  } catch {
    // Half-written by an owner that is just creating it, or that died there: its age will tell.
    return false;
  }
}

/** Takes a stale lock away. Rename is atomic, so of several processes that try, one wins. */
async function breakLock(path: string, text: string): Promise<void> {
  const away = `${path}.${randomBytes(6).toString('hex')}.stale`;
  try {
    await rename(path, away);
  } catch {
    return;
  }
  // Between our look and the rename a live owner may have come: then its lock goes back.
  if ((await readFile(away, 'utf8').catch(() => text)) !== text) await rename(away, path).catch(() => undefined);
  else await rm(away, { force: true });
}

/**
 * Runs `work` while holding the lock at `path`; waits for another owner first.
 * @param isDone looked at before each attempt: true ends the wait, and `work` is not run
 * @returns what `work` returned, or undefined where `isDone`
 * @throws the signal's reason, FILE_UNWRITABLE where the lock cannot be created
 */
export async function withFileLock<T>(
  path: string,
  isDone: () => Promise<boolean>,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const token = randomBytes(8).toString('hex');
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), token } satisfies Owner);
  for (;;) {
    signal?.throwIfAborted();
    if (await isDone()) return undefined;
    try {
      const file = await open(path, 'wx');
      await file.writeFile(mine);
      await file.close();
      break;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new ImprintError(
          'FILE_UNWRITABLE',
          `Expected to create ${path}, got ${cause}. Check the cache folder's permissions and space.`,
          { cause },
        );
      }
    }
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined && (await isStale(path, text))) await breakLock(path, text);
    else await sleep(POLL_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
  const touch = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
  }, TOUCH_MS);
  touch.unref();
  try {
    return (await isDone()) ? undefined : await work();
  } finally {
    clearInterval(touch);
    // Another may have taken the lock over while this process was suspended: then it is not ours to remove.
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true });
  }
}
