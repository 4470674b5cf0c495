/** Where the cache lies, what it remembers, and the lock between processes. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLongFileLock } from '../../../../packages/node/src/file-lock.ts';
import { retryAfterMs } from '../../../../packages/node/src/models/http-client.ts';
import {
  cacheFolder,
  readLock,
  removeLock,
  writeAtomically,
  writeLock,
} from '../../../../packages/node/src/models/model-cache.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-cache-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const never = (): Promise<boolean> => Promise.resolve(false);

describe('cacheFolder', () => {
  it('follows IMPRINT_CACHE, then the XDG rules, then the home folder', () => {
    expect(cacheFolder({ IMPRINT_CACHE: '/a', XDG_CACHE_HOME: '/b' }, 'linux')).toBe('/a');
    expect(cacheFolder({ IMPRINT_CACHE: '', XDG_CACHE_HOME: '/b' }, 'linux')).toBe('/b/imprint');
    // The XDG rules: a relative path is invalid and to be ignored.
    expect(cacheFolder({ XDG_CACHE_HOME: 'b' }, 'linux')).toBe(join(homedir(), '.cache/imprint'));
    expect(cacheFolder({}, 'darwin')).toBe(join(homedir(), '.cache/imprint'));
    expect(cacheFolder({ LOCALAPPDATA: 'C:\\x' }, 'win32')).toBe(join('C:\\x', 'imprint', 'Cache'));
  });
});

describe('the record of locked files', () => {
  const locked = { repository: 'a/b', revision: 'c'.repeat(40), sizeBytes: 5, sha256: 'd'.repeat(64) };

  it('keeps several files, and forgets all of them at once', async () => {
    expect((await readLock(folder, 'x')).size).toBe(0);
    await writeLock(folder, 'x', 'onnx/b.onnx', locked);
    await writeLock(folder, 'x', 'onnx/a.onnx', { ...locked, sizeBytes: 6 });
    expect(Object.fromEntries(await readLock(folder, 'x'))).toEqual({
      'onnx/a.onnx': { ...locked, sizeBytes: 6 },
      'onnx/b.onnx': locked,
    });
    await removeLock(folder, 'x');
    expect((await readLock(folder, 'x')).size).toBe(0);
  });

  it('is refused where it is damaged, instead of being taken for none', async () => {
    await writeLock(folder, 'x', 'onnx/a.onnx', locked);
    const path = join(folder, 'locks/x.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.slice(0, -20));
    await expect(readLock(folder, 'x')).rejects.toMatchObject({
      code: 'BACKBONE_INVALID',
      message: expect.stringContaining('remove x --unlock'),
    });
    await writeFile(path, text.replace('dddd', 'DDDD'));
    await expect(readLock(folder, 'x')).rejects.toThrow('Expected 64 hex digits for files.onnx/a.onnx.sha256');
  });

  it('is written whole or not at all', async () => {
    await expect(writeAtomically(join(folder, 'no/such/folder/x'), 'y')).rejects.toMatchObject({
      code: 'FILE_UNWRITABLE',
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('withLongFileLock', () => {
  it('lets one work at a time and leaves no lock behind', async () => {
    const path = join(folder, 'lock');
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLongFileLock(path, never, work)));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it('is released when the work fails, and passes the error on', async () => {
    const path = join(folder, 'lock');
    await expect(withLongFileLock(path, never, () => Promise.reject(new Error('no luck')))).rejects.toThrow('no luck');
    expect(existsSync(path)).toBe(false);
  });

  it('ends the wait as soon as the work is done by another', async () => {
    const path = join(folder, 'lock');
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname(), token: 'x' }));
    let isDone = false;
    const waiting = withLongFileLock(
      path,
      () => Promise.resolve(isDone),
      () => Promise.resolve('worked'),
    );
    await sleep(50);
    isDone = true;
    expect(await waiting).toBeUndefined();
    expect(existsSync(path)).toBe(true);
  });

  it('takes over from a process that died, and from one that has been silent for long', async () => {
    const path = join(folder, 'lock');
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await writeFile(path, JSON.stringify({ pid: child.pid, host: hostname(), token: 'x' }));
    expect(await withLongFileLock(path, never, () => Promise.resolve('worked'))).toBe('worked');

    await writeFile(path, JSON.stringify({ pid: process.pid, host: 'another-machine', token: 'x' }));
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    expect(await withLongFileLock(path, never, () => Promise.resolve('worked'))).toBe('worked');
    expect(await readdir(folder)).toEqual([]);
  });

  it('waits for an owner on another machine, until the signal aborts', async () => {
    const path = join(folder, 'lock');
    await writeFile(path, JSON.stringify({ pid: 1, host: 'another-machine', token: 'x' }));
    const signal = AbortSignal.timeout(300);
    await expect(withLongFileLock(path, never, () => Promise.resolve('worked'), signal)).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    expect(existsSync(path)).toBe(true);
  });

  it('says where it cannot be created', async () => {
    await expect(
      withLongFileLock(join(folder, 'no/folder/lock'), never, () => Promise.resolve(1)),
    ).rejects.toMatchObject({
      code: 'FILE_UNWRITABLE',
    });
  });
});

describe('retryAfterMs', () => {
  it('reads seconds and dates', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs('7', now)).toBe(7000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
    expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
    expect(retryAfterMs('soon', now)).toBeUndefined();
    expect(retryAfterMs(undefined, now)).toBeUndefined();
  });
});
