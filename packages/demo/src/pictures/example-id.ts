/** Ids of examples: a file's from its bytes, as in Node; a camera frame's by chance. */

import { sha256Hex } from '@imprint/core';

/** First 16 hex digits of the bytes' SHA-256: the id that Node gives the same file. */
export async function fileId(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) return sha256Hex(bytes).slice(0, 16);
  return hex(new Uint8Array(await subtle.digest('SHA-256', bytes)).subarray(0, 8));
}

export function frameId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(8)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
