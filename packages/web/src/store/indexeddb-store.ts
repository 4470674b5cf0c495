/** A classifier in IndexedDB, for browsers and modes without the origin private file system. */

import { sha256 } from '../worker/sha256.ts';
import { backupName, type PageStore } from './page-store.ts';
import { unwritable } from './store-errors.ts';
import { withStoreLock } from './store-lock.ts';

const DATABASE = 'imprint';
/** By store name: the bytes, and their SHA-256. */
const TABLES = ['bytes', 'versions'] as const;

/** @throws DOMException where this page has no IndexedDB */
export async function indexedDbStore(name: string): Promise<PageStore> {
  const location = `indexeddb:${name}`;
  const get = async (table: (typeof TABLES)[number]) => {
    let request: IDBRequest | undefined;
    await transact('readonly', (tables) => (request = tables(table).get(name)));
    return request!.result as unknown;
  };
  await transact('readonly', () => undefined);
  return {
    kind: 'indexeddb',
    location,
    version: () => get('versions') as Promise<string | undefined>,
    read: () => get('bytes') as Promise<Uint8Array | undefined>,
    async write(bytes) {
      try {
        const version = await sha256(bytes as Uint8Array<ArrayBuffer>);
        await transact('readwrite', (tables) => {
          tables('bytes').put(bytes, name);
          tables('versions').put(version, name);
        });
      } catch (cause) {
        throw await unwritable(location, bytes.length, cause);
      }
    },
    exclusively: (action) => withStoreLock(location, action),
    async setAside() {
      const aside = backupName(name);
      await transact('readwrite', (tables) => {
        for (const table of TABLES) {
          const request = tables(table).get(name);
          request.onsuccess = () => {
            tables(table).put(request.result, aside);
            tables(table).delete(name);
          };
        }
      });
      return aside;
    },
  };
}

/** One transaction, on disk when it resolves. The database is opened for it: the browser may clear the storage of an open page. */
async function transact(
  mode: IDBTransactionMode,
  action: (tables: (table: (typeof TABLES)[number]) => IDBObjectStore) => void,
): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => TABLES.forEach((table) => request.result.createObjectStore(table));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error!);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const transaction = database.transaction(TABLES, mode, { durability: 'strict' });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error!);
      action((table) => transaction.objectStore(table));
    });
  } finally {
    database.close();
  }
}
