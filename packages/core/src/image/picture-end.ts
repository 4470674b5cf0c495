/** Whether a picture's file reaches its end: some browsers show half a picture, or a white one, where the rest is missing. */

import { jpegSegment, type PictureFormat } from './picture-header.ts';

/**
 * Whether the bytes of a picture stop before its first frame does, by the marks of its format alone; nothing is decoded.
 * AVIF and TIFF are left to the decoder, which refuses them. What follows the picture (a phone's film, padding) does not matter.
 * Never throws.
 * @param bytes a file of this format, as `pictureHeader` knows it
 */
export function isCutOff(bytes: Uint8Array, format: PictureFormat): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return (ENDS[format]?.(view) ?? 0) > bytes.length;
  } catch (error) {
    if (error instanceof RangeError) return true; // a DataView read past the end
    throw error;
  }
}

/** Where the picture ends, or past what is there. */
const ENDS: { readonly [format in PictureFormat]?: (view: DataView) => number } = {
  jpeg: jpegEnd,
  png: pngEnd,
  webp: (view) => 8 + view.getUint32(4, true),
  gif: gifEnd,
};

/** After the last end-of-image marker behind the first scan: a thumbnail's, in the metadata, stands before it. */
function jpegEnd(view: DataView): number {
  const at = jpegSegment(view, (marker) => marker === 0xda); // start of a scan
  let end = view.byteLength - 2;
  while (end > at && view.getUint16(end) !== 0xffd9) end--;
  return end > at ? end + 2 : Infinity;
}

/** After the chunk IEND. */
function pngEnd(view: DataView): number {
  let at = 8;
  while (view.getUint32(at + 4) !== 0x49454e44) at += 12 + view.getUint32(at);
  return at + 12;
}

/** After the first image's last block. */
function gifEnd(view: DataView): number {
  const tableBytes = (flags: number) => (flags & 128 ? 6 << (flags & 7) : 0);
  let at = 13 + tableBytes(view.getUint8(10));
  for (;;) {
    const isImage = view.getUint8(at) === 0x2c;
    // An extension's label, or an image's place, size, colours and code size, and then blocks up to an empty one.
    at += isImage ? 11 + tableBytes(view.getUint8(at + 9)) : 2;
    let length: number;
    do {
      length = view.getUint8(at);
      at += 1 + length;
    } while (length > 0);
    if (isImage) return at;
  }
}
