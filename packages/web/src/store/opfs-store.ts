/** A classifier in the origin private file system: two files written in turns, so that a crash at any byte leaves one whole. */

import { sha256 } from '../worker/sha256.ts';
import { backupName, type PageStore } from './page-store.ts';
import { damaged, unwritable } from './store-errors.ts';
import { withStoreLock } from './store-lock.ts';

/** Of the methods that workers have, those that all browsers have; TypeScript's DOM library has neither. */
interface FileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccess>;
  move(name: string): Promise<void>;
}

interface SyncAccess {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

const FOLDER = 'imprint';
/** At the head of each file: magic, generation and payload length (f64), the payload's SHA-256 in 64 hex digits; then zeros. */
const HEADER_BYTES = 128;
const SHA_AT = 24;
const MAGIC = 0x31_74_6e_69_72_70_6d_69n; // "imprint1", little-endian
/** A worker that was ended may keep its files for a moment. */
const RELEASE_MS = 5000;

interface Slot {
  readonly name: string;
  readonly file: File;
  readonly generation: number;
  readonly checksum: string;
  /** Its header is not one of ours, or does not fit the file. */
  readonly isBroken: boolean;
}

/** @throws DOMException where this page has no such file system */
export async function opfsStore(name: string): Promise<PageStore> {
  const location = `opfs:${name}`;
  // Opened at every use: the browser may clear the storage of an open page.
  const folder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  const slotName = (store: string, slot: number) => `${encodeURIComponent(store)}.${slot}`;
  if (!('createSyncAccessHandle' in FileSystemFileHandle.prototype)) {
    throw new DOMException('No synchronous files', 'NotSupportedError');
  }
  await folder();

  /** The files that were written to their end, the newest first. */
  async function slots(): Promise<Slot[]> {
    const found: Slot[] = [];
    for (const slot of [0, 1]) {
      const read = await readSlot(await folder(), slotName(name, slot));
      if (read !== undefined) found.push(read);
    }
    return found.sort((a, b) => b.generation - a.generation);
  }

  return {
    kind: 'opfs',
    location,
    async version() {
      return (await slots())[0]?.checksum;
    },
    async read() {
      const [newest] = await slots();
      if (newest === undefined) return undefined;
      if (newest.isBroken) throw damaged(location, 'its header is not understood');
      const bytes = new Uint8Array(await newest.file.slice(HEADER_BYTES).arrayBuffer());
      if ((await sha256(bytes)) !== newest.checksum) throw damaged(location, 'its checksum does not fit');
      return bytes;
    },
    async write(bytes) {
      try {
        const [newest] = await slots();
        const target = slotName(name, newest?.name === slotName(name, 0) ? 1 : 0);
        const header = new DataView(new ArrayBuffer(HEADER_BYTES));
        header.setBigUint64(0, MAGIC, true);
        header.setFloat64(8, (newest?.generation ?? 0) + 1, true);
        header.setFloat64(16, bytes.length, true);
        const checksum = new TextEncoder().encode(await sha256(bytes as Uint8Array<ArrayBuffer>));
        new Uint8Array(header.buffer).set(checksum, SHA_AT);
        const handle = (await (await folder()).getFileHandle(target, { create: true })) as FileHandle;
        writeSlot(await openSlot(handle), new Uint8Array(header.buffer), bytes);
      } catch (cause) {
        throw await unwritable(location, bytes.length, cause);
      }
    },
    exclusively: (action) => withStoreLock(location, action),
    async setAside() {
      const aside = backupName(name);
      const [newest] = await slots();
      const handle = (await (await folder()).getFileHandle(newest.name)) as FileHandle;
      await handle.move(slotName(aside, 0));
      return aside;
    },
  };
}

async function readSlot(folder: FileSystemDirectoryHandle, name: string): Promise<Slot | undefined> {
  let file: File;
  try {
    file = await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if ((error as DOMException).name === 'NotFoundError') return undefined;
    throw error;
  }
  const head = await file.slice(0, HEADER_BYTES).arrayBuffer();
  // The header is written last: without one, a write was cut off.
  if (new Uint8Array(head).every((byte) => byte === 0)) return undefined;
  const view = new DataView(head);
  const isBroken =
    head.byteLength < HEADER_BYTES ||
    view.getBigUint64(0, true) !== MAGIC ||
    view.getFloat64(16, true) !== file.size - HEADER_BYTES;
  const generation = isBroken ? Infinity : view.getFloat64(8, true);
  const checksum = new TextDecoder().decode(head.slice(SHA_AT, SHA_AT + 64));
  return { name, file, generation, checksum, isBroken };
}

/** @throws NoModificationAllowedError where another context keeps the file open */
async function openSlot(handle: FileHandle): Promise<SyncAccess> {
  const deadline = performance.now() + RELEASE_MS;
  for (;;) {
    try {
      return await handle.createSyncAccessHandle();
    } catch (error) {
      if ((error as DOMException).name !== 'NoModificationAllowedError' || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The payload, then, once that is on disk, the header that makes it count. */
function writeSlot(access: SyncAccess, header: Uint8Array, bytes: Uint8Array): void {
  const write = (part: Uint8Array, at: number) => {
    if (access.write(part, { at }) !== part.length) throw new DOMException('The disk is full.', 'QuotaExceededError');
  };
  try {
    access.truncate(0);
    write(bytes, HEADER_BYTES);
    access.flush();
    write(header, 0);
    access.flush();
  } catch (error) {
    access.truncate(0);
    throw error;
  } finally {
    access.close();
  }
}
