/** Folder lists on a real file system: one order, one label for NFC and NFD, nothing left out without a word. */

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listClassFolders, listImages, type IgnoredFile } from '../../../packages/node/src/class-folders.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-folders-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), '');
  }
}

it('lists pictures by label, then by name, whatever the case of the extension', async () => {
  await put('zebra/b.PNG', 'zebra/a.jpg', 'ant/10.webp', 'ant/2.avif', '__proto__/x.gif', 'Äpfel/y.tiff');
  const { images, labels, ignored } = await listClassFolders(folder);
  expect(labels).toEqual(['__proto__', 'ant', 'zebra', 'Äpfel']);
  expect(images.map(({ label, path }) => [label, path.slice(folder.length + 1)])).toEqual([
    ['__proto__', '__proto__/x.gif'],
    ['ant', 'ant/10.webp'],
    ['ant', 'ant/2.avif'],
    ['zebra', 'zebra/a.jpg'],
    ['zebra', 'zebra/b.PNG'],
    ['Äpfel', 'Äpfel/y.tiff'],
  ]);
  expect(ignored).toEqual([]);
});

it('makes one label of two folders whose names are the same in NFC and NFD', async () => {
  await put('caf\u00e9/a.jpg', 'cafe\u0301/b.jpg');
  const { images, labels } = await listClassFolders(folder);
  expect(labels).toEqual(['caf\u00e9']);
  expect(images).toHaveLength(2);
});

it('refuses a class folder whose name shows nothing, and names it', async () => {
  await put('cat/a.jpg', '\u3164/b.jpg');
  await expect(listClassFolders(folder)).rejects.toMatchObject({
    code: 'INVALID_LABEL',
    message: expect.stringContaining(`got "${join(folder, '\u3164')}"`),
  });
});

// Other systems keep no such names.
it.skipIf(process.platform !== 'linux')(
  'says what to do about a folder, or a link to one, that is not UTF-8',
  async () => {
    await put('cat/a.jpg', 'cat/more/b.jpg');
    const latin1 = (name: string): Buffer => Buffer.concat([Buffer.from(join(folder, name)), Buffer.of(0xe9)]);
    await mkdir(latin1('caf'));
    await symlink(join(folder, 'cat'), latin1('link'));
    await mkdir(latin1('cat/more/in'));
    const told = ({ path, reason, error }: IgnoredFile): unknown[] => [
      path.slice(folder.length + 1),
      reason,
      error?.code,
    ];
    expect((await listClassFolders(folder)).ignored.map(told)).toEqual([
      ['caf\ufffd', 'a name that is not UTF-8', 'FILE_UNREADABLE'],
      ['cat/more', 'a folder inside a class folder', undefined],
      ['link\ufffd', 'a name that is not UTF-8', 'FILE_UNREADABLE'],
    ]);
    const { paths, ignored } = await listImages([join(folder, 'cat')]);
    expect(paths).toHaveLength(2);
    expect(ignored.map(told)).toEqual([['cat/more/in\ufffd', 'a name that is not UTF-8', 'FILE_UNREADABLE']]);
    await rm(join(folder, 'cat'), { recursive: true });
    await expect(listClassFolders(folder)).rejects.toMatchObject({
      code: 'NO_EXAMPLES',
      message: expect.stringMatching(
        /found none that can be read\. .*caf\ufffd, got a name that is not UTF-8\. Rename/,
      ),
    });
  },
);

it('names what it leaves out, and says nothing of hidden files', async () => {
  await put('cat/a.jpg', 'cat/notes.txt', 'cat/.DS_Store', 'cat/more/b.jpg', 'loose.jpg', '.git/c.jpg');
  await symlink(join(folder, 'nowhere'), join(folder, 'cat', 'gone.jpg'));
  const { images, ignored } = await listClassFolders(folder);
  expect(images).toHaveLength(1);
  expect(ignored.map(({ path, reason }) => [path.slice(folder.length + 1), reason])).toEqual([
    ['cat/gone.jpg', 'broken link'],
    ['cat/more', 'a folder inside a class folder'],
    ['cat/notes.txt', 'not a picture by its name'],
    ['loose.jpg', 'outside a class folder'],
  ]);
});

it('follows links to pictures and to class folders', async () => {
  await put('store/a.jpg', 'classes/cat/own.jpg');
  await symlink(join(folder, 'store', 'a.jpg'), join(folder, 'classes', 'cat', 'linked.jpg'));
  await symlink(join(folder, 'store'), join(folder, 'classes', 'dog'));
  const { images } = await listClassFolders(join(folder, 'classes'));
  expect(images.map(({ label }) => label)).toEqual(['cat', 'cat', 'dog']);
});

it('refuses a missing folder, a file, and a folder without pictures, each with a sentence', async () => {
  await put('file.jpg');
  await mkdir(join(folder, 'empty', 'class'), { recursive: true });
  const code = async (path: string) => listClassFolders(path).catch((error: { code: string }) => error.code);
  expect(await code(join(folder, 'missing'))).toBe('FILE_UNREADABLE');
  expect(await code(join(folder, 'file.jpg'))).toBe('FILE_UNREADABLE');
  expect(await code(join(folder, 'empty'))).toBe('NO_EXAMPLES');
});

it('lists pictures to classify: files as named, folders at any depth, missing paths passed on, no circles', async () => {
  await put('in/b/c.png', 'in/a.jpg', 'in/readme.md', 'other.bin');
  await symlink(join(folder, 'in'), join(folder, 'in', 'circle'));
  const named = [join(folder, 'other.bin'), join(folder, 'in'), join(folder, 'missing.jpg')];
  const { paths, ignored } = await listImages(named);
  expect(paths.map((path) => path.slice(folder.length + 1))).toEqual([
    'other.bin',
    'in/a.jpg',
    'in/b/c.png',
    'missing.jpg',
  ]);
  expect(ignored.map(({ path, reason }) => [path.slice(folder.length + 1), reason])).toEqual([
    ['in/circle', 'a linked folder'],
    ['in/readme.md', 'not a picture by its name'],
  ]);
});

it('refuses what is no path', async () => {
  for (const path of [new URL('file:///tmp/'), 5, undefined, '']) {
    await expect(listClassFolders(path as string)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^Expected a path, as text for directory, got .*fileURLToPath/),
    });
    await expect(listImages([path as string])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
});
