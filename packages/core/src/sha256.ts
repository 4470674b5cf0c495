/** SHA-256 as text: what names examples, backbones and contents. */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** A digest of bytes that come in parts. */
export class Sha256 {
  readonly #hash = sha256.create();

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** 64 hex digits. Ends the digest. */
  hex(): string {
    return bytesToHex(this.#hash.digest());
  }
}

/** The SHA-256 digest of `bytes`: 64 hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}
