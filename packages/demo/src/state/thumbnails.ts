/** Small pictures of the examples, by example id, in IndexedDB. The classifier needs none of them: they are for people. */

import { signal, type Signal } from '@preact/signals';
import { say } from './toasts.ts';

/** Two device pixels for each of the page's. */
const SIZE_PX = 144;
const DATABASE = 'imprint-demo-thumbnails';
const TABLE = 'thumbnails';

/** An address; null where there is no such thumbnail (the browser evicted it, or the example came in a file). */
type Shown = Signal<string | null | undefined>;

const shown = new Map<string, Shown>();
let database: Promise<IDBDatabase> | undefined;
let hasFailed = false;

function open(): Promise<IDBDatabase> {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB does not open'));
  });
  return database;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB refused'));
  });
}

/** The thumbnail of an example, read when it is first asked for. */
export function thumbnail(id: string): Shown {
  let entry = shown.get(id);
  if (entry === undefined) {
    entry = signal<string | null | undefined>(undefined);
    shown.set(id, entry);
    void load(id, entry);
  }
  return entry;
}

async function load(id: string, entry: Shown): Promise<void> {
  try {
    const table = (await open()).transaction(TABLE).objectStore(TABLE);
    // A Blob in what earlier releases kept.
    const picture = (await settled(table.get(id))) as ArrayBuffer | Blob | undefined;
    if (entry.value !== undefined) return;
    entry.value = picture === undefined ? null : URL.createObjectURL(new Blob([picture]));
  } catch {
    entry.value ??= null;
  }
}

/** Keeps a square, filled by the middle of `image`. */
export async function keepThumbnail(id: string, image: ImageBitmap): Promise<void> {
  const side = Math.min(image.width, image.height);
  const size = Math.min(SIZE_PX, side);
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, size, size);
  const picture = await canvas.convertToBlob({ type: 'image/webp', quality: 0.85 });
  const entry = shown.get(id) ?? signal<string | null | undefined>(undefined);
  shown.set(id, entry);
  if (typeof entry.value !== 'string') entry.value = URL.createObjectURL(picture);
  try {
    // Bytes, as Safari's private windows keep no Blob in IndexedDB.
    const bytes = await picture.arrayBuffer();
    const table = (await open()).transaction(TABLE, 'readwrite').objectStore(TABLE);
    await settled(table.put(bytes, id));
  } catch (error) {
    if (hasFailed) return;
    hasFailed = true;
    const why = error instanceof Error ? error.message : String(error);
    say(`Thumbnails cannot be kept (${why}). What is learned is not touched by that; after a reload they are blank.`);
  }
}

/** Forgets the pictures of examples that are gone. Called once, at the start: undo may bring back younger ones. */
export async function pruneThumbnails(ids: ReadonlySet<string>): Promise<void> {
  try {
    const table = (await open()).transaction(TABLE, 'readwrite').objectStore(TABLE);
    for (const key of await settled(table.getAllKeys())) if (!ids.has(String(key))) table.delete(key);
  } catch {
    // Nothing is kept where IndexedDB is shut; keepThumbnail says so.
  }
}
