/** The best place that this browser has for what a page learns. */

import { expected } from '@imprint/core';
import { indexedDbStore } from './indexeddb-store.ts';
import { opfsStore } from './opfs-store.ts';
import type { PageStore } from './page-store.ts';
import { canLock } from './store-lock.ts';

/** File names hold 255 bytes; an escaped character takes up to 9 of them, and a backup's name 28 more. */
const MAX_NAME_BYTES = 200;

/** What a browser throws that has no such files, or not in this mode; anything else is a fault. */
const ABSENT = ['TypeError', 'ReferenceError', 'SecurityError', 'NotSupportedError'];

/**
 * The origin private file system, else IndexedDB; content that lies in IndexedDB already stays there.
 * @param warn is told, in a sentence, what is worse than it could be
 * @returns undefined where the browser has neither
 * @throws INVALID_ARGUMENT for a name that is none
 */
export async function openStore(name: string, warn: (message: string) => void): Promise<PageStore | undefined> {
  if (typeof name !== 'string' || name === '' || encodeURIComponent(name).length > MAX_NAME_BYTES) {
    throw expected('store', 'a name of 1 to 60 characters', name);
  }
  const failures: Error[] = [];
  const tried = (open: Promise<PageStore>) => open.catch((error: Error) => void failures.push(error));
  const files = await tried(opfsStore(name));
  if (files !== undefined && (await files.version()) !== undefined) return files;
  const database = await tried(indexedDbStore(name));
  const isInDatabase = database !== undefined && (await database.version()) !== undefined;
  const store = isInDatabase ? database : (files ?? database);
  if (store === undefined) {
    warn(
      `What is learned will be gone with this page: the browser gives it no storage (${failures.join('; ')}). Leave private mode, allow site data, or export() to a file.`,
    );
  } else if (files === undefined && !ABSENT.includes(failures[0].name)) {
    warn(
      `The browser's own files did not open (${failures[0]}): what is learned goes to IndexedDB, and what lies in the files is missing until they open again. Reload the page to try.`,
    );
  } else if (!canLock()) {
    warn(
      'This page is not a secure context, so tabs cannot wait for each other: change what is learned in one tab at a time, or serve the page by https.',
    );
  }
  return store;
}
