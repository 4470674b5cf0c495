/** Lists pictures in folders: DIR/<class>/<image> for learning, files and folders for classifying; in one order everywhere. */

import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { ImprintError, requireIterable } from '@imprint/core';

const EXTENSIONS: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.png',
  '.webp',
  '.avif',
  '.gif',
  '.tif',
  '.tiff',
]);

export interface LabelledImage {
  /** The class folder's name in Unicode form NFC. */
  readonly label: string;
  readonly path: string;
}

export interface IgnoredFile {
  readonly path: string;
  readonly reason:
    | 'not a picture by its name'
    | 'outside a class folder'
    | 'a folder inside a class folder'
    | 'a linked folder'
    | 'broken link';
}

export interface ClassFolders {
  /** Sorted by label, then by path. */
  readonly images: readonly LabelledImage[];
  /** Labels in order, those of empty folders too. */
  readonly labels: readonly string[];
  readonly ignored: readonly IgnoredFile[];
}

/** By code unit of the NFC form, which no locale and no file system changes. */
function inOrder(a: string, b: string): number {
  const [x, y] = [a.normalize('NFC'), b.normalize('NFC')];
  if (x !== y) return x < y ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const found = code === 'ENOENT' ? 'nothing' : code === 'ENOTDIR' ? 'a file' : (code ?? 'an error');
    throw new ImprintError('FILE_UNREADABLE', `Expected a folder at ${folder}, got ${found}. Check the path.`, {
      cause,
    });
  }
  return entries.filter((entry) => !entry.name.startsWith('.')).sort((a, b) => inOrder(a.name, b.name));
}

/** A link counts as what it points to. */
async function kindOf(entry: Dirent, path: string): Promise<'folder' | 'file' | 'other'> {
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  if (!entry.isSymbolicLink()) return 'other';
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'other';
  }
}

function isPictureName(name: string): boolean {
  return EXTENSIONS.has(extname(name).toLowerCase());
}

/**
 * The pictures in `DIR/<class>/<image>`. Hidden files are left out without a word, everything else that is left out is named.
 * @throws FILE_UNREADABLE where `directory` is no folder; NO_EXAMPLES where no class folder holds a picture
 */
export async function listClassFolders(directory: string): Promise<ClassFolders> {
  const byLabel = new Map<string, LabelledImage[]>();
  const ignored: IgnoredFile[] = [];
  for (const entry of await entriesOf(directory)) {
    const folder = join(directory, entry.name);
    const kind = await kindOf(entry, folder);
    if (kind !== 'folder') {
      ignored.push({ path: folder, reason: kind === 'other' ? 'broken link' : 'outside a class folder' });
      continue;
    }
    const label = entry.name.normalize('NFC');
    const images = byLabel.get(label) ?? [];
    byLabel.set(label, images);
    for (const inner of await entriesOf(folder)) {
      const path = join(folder, inner.name);
      const innerKind = await kindOf(inner, path);
      if (innerKind === 'folder') ignored.push({ path, reason: 'a folder inside a class folder' });
      else if (innerKind === 'other') ignored.push({ path, reason: 'broken link' });
      else if (!isPictureName(inner.name)) ignored.push({ path, reason: 'not a picture by its name' });
      else images.push({ label, path });
    }
  }
  const labels = [...byLabel.keys()].sort(inOrder);
  const images = labels.flatMap((label) => byLabel.get(label)!);
  if (images.length === 0) {
    const message = `Expected pictures in ${join(directory, '<class>', '<image>')}, found none. Make one folder a class and put its pictures in.`;
    throw new ImprintError('NO_EXAMPLES', message);
  }
  return { images, labels, ignored };
}

export interface ImageList {
  /** In the order of `paths`; within a folder sorted, folders inside folders too. */
  readonly paths: readonly string[];
  readonly ignored: readonly IgnoredFile[];
}

/**
 * The pictures that `paths` name: a file as it is, whatever its name; a folder with all pictures in it, at any depth.
 * A path that does not exist is passed on: reading it gives its error, beside the results of the others.
 */
export async function listImages(paths: readonly string[]): Promise<ImageList> {
  requireIterable(paths, 'paths');
  const found: string[] = [];
  const ignored: IgnoredFile[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name);
      const kind = await kindOf(entry, path);
      // A link to a folder may lead in a circle, so it is not followed here.
      if (kind === 'folder' && !entry.isSymbolicLink()) await visit(path);
      else if (kind === 'other') ignored.push({ path, reason: 'broken link' });
      else if (kind === 'file' && isPictureName(entry.name)) found.push(path);
      else ignored.push({ path, reason: kind === 'folder' ? 'a linked folder' : 'not a picture by its name' });
    }
  };
  for (const path of paths) {
    const isFolder = await stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (isFolder) await visit(path);
    else found.push(path);
  }
  return { paths: found, ignored };
}
