/** Signals, several processes on one file, a full disk: the file on disk is the old one or the new one, whole. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSnapshot } from '@imprint/core';
import { writeEndlessBackbone } from './endless-backbone.ts';
import { imprint, jsonOf, MAIN, TINY, writePictures } from './imprint-process.ts';

let folder: string;
let model: string;
/** A class folder of many links to few pictures: work for seconds. */
let many: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-stop-'));
  for (const [kind, name] of ['a', 'b'].entries()) await writePictures(join(folder, 'train', name), kind, 3);
  model = join(folder, 'model.imprint');
  expect(await imprint(['learn', join(folder, 'train'), '--out', model, '--backbone', TINY])).toMatchObject({
    status: 0,
  });
  many = join(folder, 'many');
  await mkdir(join(many, 'c'), { recursive: true });
  const pictures = await writePictures(join(folder, 'few'), 4, 8);
  for (let i = 0; i < 4000; i++) await symlink(pictures[i % pictures.length], join(many, 'c', `${i}.png`));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args, '--backbone', TINY], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Waits until the process has loaded the picture decoder, which happens right before the first picture. */
async function isAtWork({ pid }: ChildProcess): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
    // The decoder and ONNX Runtime are mapped, and worker threads run: signals are caught since long.
    if (maps.includes('libvips') && maps.includes('onnxruntime') && threads.length > 12) return;
    await sleep(20);
  }
  throw new Error('the process did not begin its work');
}

async function ended(child: ChildProcess): Promise<{ status: number | null; signal: string | null; stderr: string }> {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { status, signal, stderr };
}

/** No draft and no lock is left beside the files. */
async function hiddenFiles(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('.'));
}

describe.skipIf(process.platform !== 'linux')('signals (Linux: the moment is read from /proc)', () => {
  it.each([
    ['SIGINT', 'learn', 130],
    ['SIGINT', 'add', 130],
    ['SIGTERM', 'add', 143],
  ] as const)('ends on %s during %s with status, one sentence and the old file', async (name, verb, status) => {
    const before = await readFile(model);
    const child = start(verb === 'learn' ? ['learn', many, '--out', model] : ['add', model, 'c', many]);
    const end = ended(child);
    await isAtWork(child);
    child.kill(name);
    expect(await end).toEqual({
      status,
      signal: null,
      stderr: 'imprint: Stopped before the end; no file was changed.\n',
    });
    expect(await readFile(model)).toEqual(before);
    expect(await hiddenFiles()).toEqual([]);
  });

  it.each(['learn', 'add'] as const)('leaves the old file whole when killed (SIGKILL) during %s', async (verb) => {
    const before = await readFile(model);
    const child = start(verb === 'learn' ? ['learn', many, '--out', model] : ['add', model, 'c', many]);
    const end = ended(child);
    await isAtWork(child);
    child.kill('SIGKILL');
    expect(await end).toMatchObject({ signal: 'SIGKILL' });
    expect(await readFile(model)).toEqual(before);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends at once on a second %s, within native code that never ends',
    async (name) => {
      const endless = join(folder, 'endless');
      await writeEndlessBackbone(endless);
      const args = ['learn', join(folder, 'train'), '--out', join(folder, 'never.imprint'), '--backbone', endless];
      const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      const end = ended(child);
      await isAtWork(child);
      await sleep(1500);
      child.kill(name);
      await sleep(500);
      expect([child.exitCode, child.signalCode], 'the first signal waits for the native call').toEqual([null, null]);
      child.kill(name);
      const patience = setTimeout(() => child.kill('SIGKILL'), 5000);
      // A shell tells of it as 130 or 143.
      expect(await end).toMatchObject({ status: null, signal: name });
      clearTimeout(patience);
      expect(await hiddenFiles()).toEqual([]);
    },
  );
});

it('holds a whole file, old or new, whenever an `add` is killed', async () => {
  const file = join(folder, 'killed.imprint');
  await cp(model, file);
  const before = await readFile(file);
  for (let i = 0; i < 5; i++) {
    const child = start(['add', file, 'd', join(folder, 'few')]);
    const end = ended(child);
    await sleep(250 + 150 * i);
    child.kill('SIGKILL');
    await end;
    const bytes = await readFile(file);
    // Decoding checks every length and the checksum.
    expect(decodeSnapshot(new Uint8Array(bytes)).content.numExamples).toBe(bytes.equals(before) ? 6 : 14);
  }
  // A lock that a dead process left is no obstacle.
  expect(await imprint(['add', file, 'd', join(folder, 'few'), '--backbone', TINY])).toMatchObject({ status: 0 });
  expect(jsonOf(await imprint(['info', file, '--json']))).toMatchObject({ examples: 14 });
});

it('loses no update when four processes add to one file at once', async () => {
  const file = join(folder, 'shared.imprint');
  await cp(model, file);
  const kinds = [10, 11, 12, 13];
  for (const kind of kinds) await writePictures(join(folder, 'at-once', String(kind)), kind, 2);
  const ends = kinds.map((kind) => {
    // Two new classes and two parts of one class.
    const label = kind < 12 ? `class ${kind}` : 'together';
    return imprint(['add', file, label, join(folder, 'at-once', String(kind)), '--backbone', TINY]);
  });
  for (const end of await Promise.all(ends)) expect(end, end.stderr).toMatchObject({ status: 0 });
  expect(jsonOf(await imprint(['info', file, '--json']))['classes']).toEqual([
    { label: 'a', count: 3 },
    { label: 'b', count: 3 },
    { label: 'class 10', count: 2 },
    { label: 'class 11', count: 2 },
    { label: 'together', count: 4 },
  ]);
});

const mayMount = process.platform === 'linux' && spawnSync('unshare', ['-rm', 'true']).status === 0;

it.skipIf(!mayMount)('keeps the old file on a full disk (a 256 kB tmpfs; needs the right to mount one)', () => {
  const disk = join(folder, 'disk');
  const script = `
    set -e
    mkdir "$1" && mount -t tmpfs -o size=256k tmpfs "$1"
    cp "$2" "$1/m.imprint"
    head -c 300000 /dev/zero > "$1/filler" 2> /dev/null || true
    status=0
    "$3" "$4" add "$1/m.imprint" c "$5" --backbone "$6" || status=$?
    echo "status $status"
    cmp "$2" "$1/m.imprint" && echo same
    rm "$1/filler"
    ls -A "$1"
  `;
  const args = [disk, model, process.execPath, MAIN, join(folder, 'few'), TINY];
  const { stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script, 'sh', ...args], { encoding: 'utf8' });
  expect(stdout).toBe('status 1\nsame\nm.imprint\n');
  expect(stderr).toMatch(/^imprint: Expected to [^\n]*(disk is full|ENOSPC)[^\n]*\n$/);
});
