/** An example's default id: the start of its image bytes' SHA-256, so the same file is the same example everywhere. */

import { sha256Hex } from '../sha256.ts';

/** First 16 hex digits of the SHA-256 of an encoded picture's bytes (the file as it is, not its pixels). */
export function imageId(bytes: Uint8Array): string {
  return sha256Hex(bytes).slice(0, 16);
}
