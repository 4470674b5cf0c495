/** What is said where a store cannot be written or read. */

import { ImprintError } from '@imprint/core';

/** The error for `sizeBytes` that could not be written, with what is in use where the browser tells. */
export async function unwritable(location: string, sizeBytes: number, cause: unknown): Promise<ImprintError> {
  const { name, message } = cause as Error;
  // The quota that browsers tell is not the one that was met: for privacy it depends on nothing.
  const { usage } = await estimate();
  const isFull = name === 'QuotaExceededError';
  const inUse = usage === undefined ? '' : `, with ${size(usage)} in use`;
  const got = isFull ? `storage that is full${inUse}` : `${name}: ${message}`;
  const next = isFull
    ? 'Free space on this device, or export() to a file; then call flush().'
    : 'Call flush() to try again, or export() to a file.';
  return new ImprintError(
    'FILE_UNWRITABLE',
    `Expected room for ${size(sizeBytes)} in ${location}, got ${got}. What was stored before is unchanged, and everything learned stays usable until this page is closed. ${next}`,
    { cause },
  );
}

export function damaged(location: string, why: string): ImprintError {
  return new ImprintError('SNAPSHOT_INVALID', `Expected a classifier in ${location}, got damaged data: ${why}.`);
}

/** Bytes of the whole origin; empty where the browser does not tell. */
export async function estimate(): Promise<StorageEstimate> {
  const { storage } = navigator as { storage?: StorageManager };
  return (await storage?.estimate?.().catch(() => undefined)) ?? {};
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
