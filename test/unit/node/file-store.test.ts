/** The file store on a real file system: whole writes, permissions, refusals, nothing left behind. */

import { execFileSync } from 'node:child_process';
import { rmdirSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fileStore } from '../../../packages/node/src/file-store.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-store-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = (...values: number[]) => Uint8Array.from(values);

it('reads undefined where nothing is stored, then what was written last, and leaves no other file', async () => {
  const store = fileStore(join(folder, 'a.imprint'));
  expect(await store.read()).toBeUndefined();
  await store.write(bytes(1, 2, 3));
  await store.write(bytes(4));
  expect([...(await store.read())!]).toEqual([4]);
  expect(await readdir(folder)).toEqual(['a.imprint']);
});

it('keeps the permissions of the file it replaces', async () => {
  const path = join(folder, 'a.imprint');
  await writeFile(path, 'old');
  await chmod(path, 0o640);
  await fileStore(path).write(bytes(1));
  expect((await stat(path)).mode & 0o777).toBe(0o640);
});

it('writes through a symbolic link and leaves the link in place', async () => {
  await mkdir(join(folder, 'real'));
  await writeFile(join(folder, 'real', 'a'), 'old');
  await symlink(join('real', 'a'), join(folder, 'link'));
  await fileStore(join(folder, 'link')).write(bytes(7));
  expect(await readlink(join(folder, 'link'))).toBe(join('real', 'a'));
  expect([...(await readFile(join(folder, 'real', 'a')))]).toEqual([7]);
});

it('makes what a link points to, where that is not there yet', async () => {
  await symlink('real.imprint', join(folder, 'link'));
  await fileStore(join(folder, 'link')).write(bytes(7));
  expect(await readlink(join(folder, 'link'))).toBe('real.imprint');
  expect([...(await readFile(join(folder, 'real.imprint')))]).toEqual([7]);
});

it('refuses what is no path', () => {
  for (const wrong of [undefined, null, 5, '', {}, 'folder/'] as never[]) {
    expect(() => fileStore(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});

it.skipIf(process.platform !== 'linux')(
  'says of a relative path that the current folder has been deleted, and takes an absolute one',
  () => {
    const before = process.cwd();
    try {
      process.chdir(folder);
      rmdirSync(folder);
      expect(() => fileStore('a.imprint')).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
      expect(fileStore('/tmp/a.imprint').location).toBe('/tmp/a.imprint');
    } finally {
      process.chdir(before);
    }
  },
);

it('refuses a time to wait that is none', () => {
  for (const timeoutMs of [NaN, -1, '500', null]) {
    const make = () => fileStore('a.imprint', { timeoutMs: timeoutMs as number });
    expect(make).toThrow(/^Expected a number of milliseconds, 0 or more for timeoutMs, got /);
  }
});

it('refuses a folder to read and to write, with the reason', async () => {
  const store = fileStore(folder);
  await expect(store.read()).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: expect.stringContaining('a folder'),
  });
  await expect(store.write(bytes(1))).rejects.toMatchObject({
    code: 'FILE_UNWRITABLE',
    message: expect.stringContaining('a folder'),
  });
  await expect(store.exclusively(async () => 1)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
});

it('refuses a place in a folder that does not exist, or below a file', async () => {
  await writeFile(join(folder, 'file'), '');
  for (const path of [join(folder, 'no', 'a'), join(folder, 'file', 'a')]) {
    await expect(fileStore(path).write(bytes(1))).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    await expect(fileStore(path).exclusively(async () => 1)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  }
  expect(await readdir(folder)).toEqual(['file']);
});

it('refuses a device', async () => {
  await expect(fileStore('/dev/null').write(bytes(1))).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
});

it.skipIf(process.getuid?.() === 0)(
  'refuses a write-protected file (skipped as root, who may write anything)',
  async () => {
    const path = join(folder, 'a');
    await writeFile(path, 'old', { mode: 0o444 });
    await expect(fileStore(path).write(bytes(1))).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    expect(await readFile(path, 'utf8')).toBe('old');
  },
);

it('clears away the draft of a process that was killed, and nobody else’s', async () => {
  await writeFile(join(folder, '.a.999999999.0123abcd.tmp'), 'dead');
  await writeFile(join(folder, `.a.${process.ppid}.0123abcd.tmp`), 'alive');
  await writeFile(join(folder, '.b.999999999.0123abcd.tmp'), 'of another file');
  await fileStore(join(folder, 'a')).write(bytes(1));
  expect((await readdir(folder)).sort()).toEqual(
    [`.a.${process.ppid}.0123abcd.tmp`, '.b.999999999.0123abcd.tmp', 'a'].sort(),
  );
});

it('lets one action at a time in, also within one process, and gives back its result or its error', async () => {
  const path = join(folder, 'a');
  let inside = 0;
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      fileStore(path).exclusively(async () => {
        expect(++inside).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside--;
        return i;
      }),
    ),
  );
  expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  await expect(fileStore(path).exclusively(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
  expect(await readdir(folder)).toEqual([]);
});

it('fails with FILE_BUSY and the owner’s process id where another process keeps the lock too long', async () => {
  const path = join(folder, 'a');
  const { hostname } = await import('node:os');
  // A process that lives: the one that runs these tests' process.
  const owner = { pid: process.ppid, host: hostname(), token: 'a'.repeat(16) };
  await writeFile(join(folder, '.a.lock'), JSON.stringify(owner));
  await expect(fileStore(path, { timeoutMs: 100 }).exclusively(async () => 1)).rejects.toMatchObject({
    code: 'FILE_BUSY',
    message: expect.stringContaining(`process ${process.ppid}`),
  });
});

it('fails with FILE_BUSY at once where a call asks for the lock that it is inside of', async () => {
  const path = join(folder, 'a');
  await fileStore(path).exclusively(async () => {
    const nested = fileStore(path).exclusively(async () => 1);
    await expect(nested).rejects.toMatchObject({ code: 'FILE_BUSY', message: expect.stringContaining('inside one') });
  });
  expect(await fileStore(path).exclusively(async () => 'free again')).toBe('free again');
});

it('takes over the lock of a dead process, and of a dead one whose id has come back', async () => {
  const path = join(folder, 'a');
  const lock = join(folder, '.a.lock');
  const { hostname } = await import('node:os');
  const owners = [{ pid: 999999999, startedAt: '1', host: hostname(), token: 'a'.repeat(16) }];
  if (process.platform === 'linux')
    owners.push({ pid: process.pid, startedAt: '1', host: hostname(), token: 'b'.repeat(16) });
  for (const owner of owners) {
    await writeFile(lock, JSON.stringify(owner));
    expect(await fileStore(path, { timeoutMs: 2000 }).exclusively(async () => 'in')).toBe('in');
    expect(await readdir(folder)).toEqual([]);
  }
});

it('never judges a lock from another machine', async () => {
  const owner = { pid: 999999999, startedAt: '1', host: 'elsewhere.invalid', token: 'a'.repeat(16) };
  await writeFile(join(folder, '.a.lock'), JSON.stringify(owner));
  const entering = fileStore(join(folder, 'a'), { timeoutMs: 100 }).exclusively(async () => 1);
  await expect(entering).rejects.toMatchObject({
    code: 'FILE_BUSY',
    message: expect.stringContaining('elsewhere.invalid'),
  });
});

it('takes nothing for a lock’s token that it does not make itself: a token becomes part of a path', async () => {
  const { hostname } = await import('node:os');
  const [path, lock] = [join(folder, 'a'), join(folder, '.a.lock')];
  // Where `.a.lock.x/y.takeover` would lie.
  await mkdir(`${lock}.x`);
  await writeFile(lock, JSON.stringify({ pid: 999999999, startedAt: '1', host: hostname(), token: 'x/y' }));
  await expect(fileStore(path, { timeoutMs: 100 }).exclusively(async () => 1)).rejects.toMatchObject({
    code: 'FILE_BUSY',
  });
  // Unreadable and old: left half-written by a process that died.
  await utimes(lock, 0, 0);
  expect(await fileStore(path, { timeoutMs: 2000 }).exclusively(async () => 'in')).toBe('in');
  expect(await readdir(folder)).toEqual(['.a.lock.x']);
});

it.skipIf(process.platform === 'win32')('never waits for a named pipe, be it the file or its lock', async () => {
  const [path, lock] = [join(folder, 'a'), join(folder, '.a.lock')];
  execFileSync('mkfifo', [path, lock]);
  await expect(fileStore(path).read()).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: `Expected a file at ${path}, got a named pipe. Check the path.`,
  });
  await expect(fileStore(path).write(bytes(1))).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  await rm(path);
  await expect(fileStore(path, { timeoutMs: 100 }).exclusively(async () => 1)).rejects.toMatchObject({
    code: 'FILE_BUSY',
  });
});
