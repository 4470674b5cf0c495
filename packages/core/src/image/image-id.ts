/** An example's default id: the start of its image bytes' SHA-256, so the same file is the same example everywhere. */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** First 16 hex digits of the SHA-256 of an encoded picture's bytes (the file as it is, not its pixels). */
export function imageId(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes).subarray(0, 8));
}
