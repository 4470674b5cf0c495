/** What libvips shows with wrong colours, or calls damaged, among TIFFs that are sound: told from the first directory's tags. */

import { tiffEntries } from '@imprint/core';

const BITS_PER_SAMPLE = 258;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const SAMPLE_FORMAT = 339;

/** White is zero, black is zero, RGB, palette, mask, CMYK: TIFF 6.0, section 8 and its extensions. */
const LAST_PLAIN_PHOTOMETRIC = 5;
const YCBCR = 6;
const CIELAB = 8;
/** The old kind and the new. */
const JPEG_COMPRESSIONS: readonly (number | undefined)[] = [6, 7];

/** The first value of each tag of whole numbers in the first directory; what a cut-off file still holds. */
function firstDirectory(view: DataView): ReadonlyMap<number, number> {
  const tags = new Map<number, number>();
  try {
    for (const { tag, at, little } of tiffEntries(view)) {
      const isLong = view.getUint16(at + 2, little) === 4;
      if (!isLong && view.getUint16(at + 2, little) !== 3) continue; // nor SHORT
      // More than four bytes of values stand elsewhere.
      const count = view.getUint32(at + 4, little);
      const value = count > (isLong ? 1 : 2) ? view.getUint32(at + 8, little) : at + 8;
      tags.set(tag, isLong ? view.getUint32(value, little) : view.getUint16(value, little));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // read past the end: libvips says what is wrong
  }
  return tags;
}

/** What keeps the TIFF in `bytes` from being decoded to the picture that it holds, in words; undefined where nothing does. */
export function unsupportedTiff(bytes: Uint8Array): string | undefined {
  const tags = firstDirectory(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const bits = tags.get(BITS_PER_SAMPLE) ?? 1;
  const format = tags.get(SAMPLE_FORMAT) ?? 1;
  // Nothing in the file says which numbers are black and white.
  if (format === 3) return `${bits}-bit floating-point samples`;
  if (format === 2 || format > 4) return `signed or complex ${bits}-bit samples`;
  if (bits > 16) return `${bits}-bit samples`;
  const photometric = tags.get(PHOTOMETRIC) ?? 0;
  if (photometric <= LAST_PLAIN_PHOTOMETRIC) return undefined;
  if (photometric === YCBCR) {
    // Only the JPEG decoder turns it into RGB.
    return JPEG_COMPRESSIONS.includes(tags.get(COMPRESSION)) ? undefined : 'YCbCr without JPEG compression';
  }
  if (photometric === CIELAB) return bits === 16 ? undefined : `${bits}-bit CIELab`;
  return `colours of kind ${photometric}`;
}
