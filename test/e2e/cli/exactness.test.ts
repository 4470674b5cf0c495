/** Equal content is an equal file, to the byte, whatever commands led to it. */

import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { imprint, jsonOf, TINY, writePictures } from './imprint-process.ts';

const NAMES = ['amber', 'basalt', 'coral', 'dune'];
let folder: string;
let whole: string;
let photos: Record<string, string[]>;

async function run(...args: string[]): Promise<void> {
  const finished = await imprint(args);
  expect(finished, finished.stderr).toMatchObject({ status: 0, stderr: '' });
}

const add = (file: string, label: string, images: readonly string[]): Promise<void> =>
  run('add', file, label, ...images, '--backbone', TINY);

/** Learns the named classes, in a folder of links. */
async function learn(out: string, classes: Record<string, readonly string[]>): Promise<void> {
  const directory = join(folder, `${basename(out)}-photos`);
  for (const [name, paths] of Object.entries(classes)) {
    await mkdir(join(directory, name), { recursive: true });
    for (const path of paths) await symlink(path, join(directory, name, basename(path)));
  }
  await run('learn', directory, '--out', out, '--backbone', TINY);
}

/** Each class's codes and sums as they lie in the file, read without Imprint: the format is safetensors. */
async function readClasses(path: string): Promise<Map<string, { codes: Buffer; sums: Buffer }>> {
  const file = await readFile(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, start).toString('utf8')) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  > & { __metadata__: Record<string, string> };
  const tensor = (name: string): Buffer => {
    const [from, to] = header[name].data_offsets;
    return file.subarray(start + from, start + to);
  };
  const [owners, codes, sums] = ['class_indices', 'codes', 'class_sums'].map(tensor);
  const labels = JSON.parse(header.__metadata__['labels']) as string[];
  const codeBytes = (codes.length / owners.length) * 4;
  const sumBytes = sums.length / labels.length;
  const rows = Array.from({ length: owners.length / 4 }, (_, row) => row);
  return new Map(
    labels.map((label, k) => {
      const own = rows.filter((row) => owners.readInt32LE(row * 4) === k);
      const parts = own.map((row) => codes.subarray(row * codeBytes, (row + 1) * codeBytes));
      return [label, { codes: Buffer.concat(parts), sums: sums.subarray(k * sumBytes, (k + 1) * sumBytes) }];
    }),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-exact-'));
  photos = {};
  for (const [kind, name] of NAMES.entries()) photos[name] = await writePictures(join(folder, name), kind, 5);
  whole = join(folder, 'whole.imprint');
  await learn(whole, photos);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('ends in the same file when classes come one by one, backwards, in parts and twice', async () => {
  const file = join(folder, 'parts.imprint');
  await learn(file, { dune: photos['dune'].slice(3) });
  await add(file, 'coral', photos['coral'].slice(0, 1));
  await add(file, 'amber', [...photos['amber']].reverse());
  await add(file, 'dune', photos['dune'].slice(0, 4));
  await add(file, 'basalt', photos['basalt']);
  await add(file, 'coral', photos['coral']);
  expect(await readFile(file)).toEqual(await readFile(whole));
});

it('leaves codes and sums of the other classes as they were, to the byte, when one more is added', async () => {
  const file = join(folder, 'grown.imprint');
  await cp(whole, file);
  await add(file, 'azure', await writePictures(join(folder, 'azure'), 9, 5));
  const [old, grown] = await Promise.all([readClasses(whole), readClasses(file)]);
  expect([...grown.keys()]).toEqual(['amber', 'azure', 'basalt', 'coral', 'dune']);
  for (const label of NAMES) expect(grown.get(label)).toEqual(old.get(label));
  expect(old.get('amber')?.codes.length).toBeGreaterThan(0);

  await run('remove', file, 'azure');
  expect(await readFile(file)).toEqual(await readFile(whole));
});

it('renames there and back to the same file', async () => {
  const file = join(folder, 'renamed.imprint');
  await cp(whole, file);
  await run('rename', file, 'amber', 'zinc');
  expect(await readFile(file)).not.toEqual(await readFile(whole));
  await run('rename', file, 'zinc', 'amber');
  expect(await readFile(file)).toEqual(await readFile(whole));
});

it('merges two halves, in either order and into one of them, to what learning the whole gives', async () => {
  const [left, right, out] = ['left', 'right', 'merged'].map((name) => join(folder, `${name}.imprint`));
  await learn(left, { amber: photos['amber'], coral: photos['coral'].slice(0, 3) });
  await learn(right, { basalt: photos['basalt'], dune: photos['dune'], coral: photos['coral'].slice(2) });
  await run('merge', out, left, right);
  expect(await readFile(out)).toEqual(await readFile(whole));
  await run('merge', right, right, left);
  expect(await readFile(right)).toEqual(await readFile(whole));
});

it('names the content by the hash of the file', async () => {
  const file = join(folder, 'copied.imprint');
  await cp(whole, file);
  const [a, b] = await Promise.all([whole, file].map(async (path) => jsonOf(await imprint(['info', path, '--json']))));
  expect(a['hash']).toBe(b['hash']);
});
