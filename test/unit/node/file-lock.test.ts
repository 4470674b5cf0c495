/** The lock between processes: its options. That it excludes is shown with real processes, in test/integration/node. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withFileLock } from '../../../packages/node/src/file-lock.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-lock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const none = () => Promise.resolve('done');

it.each([NaN, -1, '500', null, undefined])('refuses to wait for %s', async (timeoutMs) => {
  await expect(withFileLock(join(folder, 'a.lock'), { timeoutMs: timeoutMs as number }, none)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('Expected a number of milliseconds, 0 or more for timeoutMs'),
  });
  expect(await readdir(folder)).toEqual([]);
});

it('takes a free lock with no time to wait, and gives up at once on one that a living process holds', async () => {
  const path = join(folder, 'b.lock');
  expect(await withFileLock(path, { timeoutMs: 0 }, none)).toBe('done');
  expect(await withFileLock(path, { timeoutMs: Infinity }, none)).toBe('done');
  await writeFile(path, JSON.stringify({ pid: process.ppid, host: hostname(), token: '0123456789abcdef' }));
  await expect(withFileLock(path, { timeoutMs: 0 }, none)).rejects.toMatchObject({ code: 'FILE_BUSY' });
  await rm(path);
});
