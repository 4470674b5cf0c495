/** Lists pictures in folders: DIR/<class>/<image> for learning, files and folders for classifying; in one order everywhere. */

import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { canonicalLabel, expected, ImprintError, requireIterable } from '@imprint/core';
import { lostItsName } from './regular-file.ts';

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
    | 'a folder that cannot be read'
    | 'a name that is not UTF-8'
    | 'neither a file nor a folder'
    | 'broken link';
  /** What to do about it, where it was to be read and could not be; absent where it was passed over on purpose. */
  readonly error?: ImprintError;
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
    const next = code === 'EACCES' || code === 'EPERM' ? 'Check its permissions.' : 'Check the path.';
    throw new ImprintError('FILE_UNREADABLE', `Expected a folder at ${folder}, got ${found}. ${next}`, { cause });
  }
  return entries.filter((entry) => !entry.name.startsWith('.')).sort((a, b) => inOrder(a.name, b.name));
}

/** The same of a folder within the one that was named; where it cannot be read, `ignored` tells, and the others go on. */
async function innerEntriesOf(folder: string, ignored: IgnoredFile[]): Promise<Dirent[] | undefined> {
  try {
    return await entriesOf(folder);
  } catch (cause) {
    const error = cause as ImprintError;
    if ((error.cause as NodeJS.ErrnoException).code === 'ENOENT' && lostItsName(folder)) {
      const reason = 'a name that is not UTF-8';
      const message = `Expected a folder at ${folder}, got ${reason}. Rename the folder.`;
      ignored.push({ path: folder, reason, error: new ImprintError('FILE_UNREADABLE', message, { cause }) });
    } else {
      ignored.push({ path: folder, reason: 'a folder that cannot be read', error });
    }
    return undefined;
  }
}

/** A class folder's name as a label: its Unicode form NFC. @throws INVALID_LABEL */
function labelOf(name: string, folder: string): string {
  try {
    return canonicalLabel(name);
  } catch (cause) {
    const message = `Expected a name with at least one visible character for every class folder, got ${JSON.stringify(folder)}. Rename that folder, or move it away.`;
    throw new ImprintError('INVALID_LABEL', message, { cause });
  }
}

/** A link counts as what it points to; what is neither a folder nor a file has its reason to be ignored. */
async function kindOf(
  entry: Dirent,
  path: string,
): Promise<'folder' | 'file' | 'broken link' | 'neither a file nor a folder'> {
  try {
    const target = entry.isSymbolicLink() ? await stat(path) : entry;
    if (target.isDirectory()) return 'folder';
    return target.isFile() ? 'file' : 'neither a file nor a folder';
  } catch {
    // A name that is not UTF-8 leads nowhere either: whoever reads it tells.
    if (lostItsName(entry.name)) return isPictureName(entry.name) ? 'file' : 'folder';
    return 'broken link';
  }
}

function isPictureName(name: string): boolean {
  return EXTENSIONS.has(extname(name).toLowerCase());
}

/**
 * The pictures in `DIR/<class>/<image>`. Hidden files are left out without a word, everything else that is left out is named.
 * @throws FILE_UNREADABLE where `directory` is no folder; INVALID_LABEL for a folder whose name shows nothing; NO_EXAMPLES where no class
 *   folder holds a picture
 */
export async function listClassFolders(directory: string): Promise<ClassFolders> {
  requirePath('directory', directory);
  const byLabel = new Map<string, LabelledImage[]>();
  const ignored: IgnoredFile[] = [];
  for (const entry of await entriesOf(directory)) {
    const folder = join(directory, entry.name);
    const kind = await kindOf(entry, folder);
    if (kind !== 'folder') {
      ignored.push({ path: folder, reason: kind === 'file' ? 'outside a class folder' : kind });
      continue;
    }
    const label = labelOf(entry.name, folder);
    const entries = await innerEntriesOf(folder, ignored);
    if (entries === undefined) continue;
    const images = byLabel.get(label) ?? [];
    byLabel.set(label, images);
    for (const inner of entries) {
      const path = join(folder, inner.name);
      const innerKind = await kindOf(inner, path);
      if (innerKind === 'folder') ignored.push({ path, reason: 'a folder inside a class folder' });
      else if (innerKind !== 'file') ignored.push({ path, reason: innerKind });
      else if (!isPictureName(inner.name)) ignored.push({ path, reason: 'not a picture by its name' });
      else images.push({ label, path });
    }
  }
  const labels = [...byLabel.keys()].sort(inOrder);
  const images = labels.flatMap((label) => byLabel.get(label)!);
  if (images.length === 0) {
    const closed = ignored.find(({ error }) => error !== undefined)?.error;
    const found =
      closed === undefined
        ? 'none. Make one folder a class and put its pictures in.'
        : `none that can be read. ${closed.message}`;
    throw new ImprintError(
      'NO_EXAMPLES',
      `Expected pictures in ${join(directory, '<class>', '<image>')}, found ${found}`,
    );
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
  const visit = async (folder: string, entries: readonly Dirent[]): Promise<void> => {
    for (const entry of entries) {
      const path = join(folder, entry.name);
      const kind = await kindOf(entry, path);
      // A link to a folder may lead in a circle, so it is not followed here.
      if (kind === 'folder' && !entry.isSymbolicLink()) await visit(path, (await innerEntriesOf(path, ignored)) ?? []);
      else if (kind === 'folder') ignored.push({ path, reason: 'a linked folder' });
      else if (kind !== 'file') ignored.push({ path, reason: kind });
      else if (isPictureName(entry.name)) found.push(path);
      else ignored.push({ path, reason: 'not a picture by its name' });
    }
  };
  for (const path of paths) {
    requirePath('paths', path);
    const isFolder = await stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (isFolder) await visit(path, await entriesOf(path));
    else found.push(path);
  }
  return { paths: found, ignored };
}

function requirePath(name: string, path: unknown): void {
  if (typeof path === 'string' && path !== '') return;
  throw expected(name, 'a path, as text', path, 'For a file: URL pass fileURLToPath(url).');
}
