/** One tab at a time: a Web Lock around reading, merging and writing a store. */

import { ImprintError } from '@imprint/core';

/** How long another tab may keep a store to itself. */
const TIMEOUT_MS = 5000;

/** Whether tabs can wait for each other here: Web Locks need a secure context. */
export function canLock(): boolean {
  return (navigator as { locks?: LockManager }).locks !== undefined;
}

/** What this worker does to stores where tabs cannot wait for each other. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `action` while no other tab or classifier holds the lock of `location`; without Web Locks, none of this worker.
 * @throws FILE_BUSY where another keeps it too long
 */
export async function withStoreLock<T>(location: string, action: () => Promise<T>): Promise<T> {
  if (!canLock()) {
    const mine = last.then(action);
    last = mine.catch(() => undefined);
    return mine;
  }
  let isHeld = false;
  try {
    return await navigator.locks.request(`imprint ${location}`, { signal: AbortSignal.timeout(TIMEOUT_MS) }, () => {
      isHeld = true;
      return action();
    });
  } catch (cause) {
    if (isHeld) throw cause;
    throw new ImprintError(
      'FILE_BUSY',
      `Expected the store ${location} within ${TIMEOUT_MS / 1000} s, but another tab keeps it. Close other tabs of this page, then call flush().`,
      { cause },
    );
  }
}
