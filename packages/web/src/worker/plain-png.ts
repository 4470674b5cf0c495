/** A PNG without the colour chunks that browsers heed and Node's decoder does not: the same pixels in both. */

/** Gamma, primaries and coding points. An ICC profile stays, which both heed. */
const LEFT_OUT: readonly string[] = ['gAMA', 'cHRM', 'cICP', 'mDCV', 'cLLI'];

const SIGNATURE_BYTES = 8;

/**
 * The parts of a PNG file to be decoded: views of `bytes`, nothing is copied. Damaged files come out as they went in, for the
 * decoder to refuse.
 * @param bytes a file that starts with PNG's signature
 */
export function plainPng(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let kept = 0;
  let at = SIGNATURE_BYTES;
  while (at + 12 <= bytes.length) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    // All of these stand before the pixels.
    if (type === 'IDAT') break;
    const next = at + 12 + view.getUint32(at);
    if (LEFT_OUT.includes(type)) {
      parts.push(bytes.subarray(kept, at));
      kept = Math.min(next, bytes.length);
    }
    at = next;
  }
  parts.push(bytes.subarray(kept));
  return parts;
}
