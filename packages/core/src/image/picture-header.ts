/** Reads a picture's format and size from its first bytes, so that a cap on pixels holds before any decoder allocates. */

export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff';

export interface PictureHeader {
  readonly format: PictureFormat;
  /** In pixels, before any EXIF rotation; undefined where the header is cut off or says nothing. */
  readonly width: number | undefined;
  readonly height: number | undefined;
}

type Size = readonly [width: number, height: number] | undefined;

/**
 * Format and size of an encoded picture; undefined where the bytes are none of JPEG, PNG, WebP, AVIF, GIF, TIFF.
 * Never throws: a cut-off header gives its format without a size.
 */
export function pictureHeader(bytes: Uint8Array): PictureHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = pictureFormat(bytes);
  if (format === undefined) return undefined;
  let size: Size;
  try {
    size = SIZE_OF[format](view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // a DataView read past the end: the header is cut off
  }
  return { format, width: size?.[0], height: size?.[1] };
}

function pictureFormat(bytes: Uint8Array): PictureFormat | undefined {
  const text = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return 'gif';
  if (text(0, 4) === 'II*\0' || text(0, 4) === 'MM\0*') return 'tiff';
  if (text(4, 8) === 'ftyp' && /avi[fs]/.test(text(8, 64))) return 'avif';
  return undefined;
}

const SIZE_OF: Readonly<Record<PictureFormat, (view: DataView) => Size>> = {
  png: (view) => [view.getUint32(16), view.getUint32(20)],
  gif: (view) => [view.getUint16(6, true), view.getUint16(8, true)],
  jpeg: jpegSize,
  webp: webpSize,
  tiff: tiffSize,
  avif: (view) => largestExtent(view, 0, view.byteLength, undefined),
};

/** From the frame header (SOF0 to SOF15 without the tables DHT, JPG, DAC). */
function jpegSize(view: DataView): Size {
  const isFrame = (marker: number): boolean =>
    marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
  const at = jpegSegment(view, isFrame);
  return [view.getUint16(at + 6), view.getUint16(at + 4)];
}

/**
 * Walks the segments of a JPEG to the first of a kind.
 * @returns where its marker's second byte stands
 * @throws RangeError where the bytes end before
 */
export function jpegSegment(view: DataView, isWanted: (marker: number) => boolean): number {
  let at = 2;
  for (;;) {
    while (view.getUint8(at) !== 0xff) at++;
    while (view.getUint8(at) === 0xff) at++;
    const marker = view.getUint8(at);
    if (isWanted(marker)) return at;
    const standalone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    at += standalone ? 1 : 1 + view.getUint16(at + 1);
  }
}

/** Lossy (VP8), lossless (VP8L) and extended (VP8X) headers keep the size in three ways. */
function webpSize(view: DataView): Size {
  const kind = view.getUint32(12);
  if (kind === 0x56503820) return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  if (kind === 0x5650384c) {
    const bits = view.getUint32(21, true);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  const uint24 = (at: number) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  return [uint24(24) + 1, uint24(27) + 1];
}

/** Tags 256 and 257 of the first directory. */
function tiffSize(view: DataView): Size {
  let width: number | undefined;
  let height: number | undefined;
  for (const { tag, at, little } of tiffEntries(view)) {
    if (tag !== 256 && tag !== 257) continue;
    const value =
      view.getUint16(at + 2, little) === 3 ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
    if (tag === 256) width = value;
    else height = value;
  }
  return width === undefined || height === undefined ? undefined : [width, height];
}

/**
 * Entries of a TIFF's first directory: their tags, and where they stand.
 * @throws RangeError where the bytes end before
 */
export function* tiffEntries(view: DataView): Generator<{ tag: number; at: number; little: boolean }> {
  const little = view.getUint8(0) === 0x49;
  const directory = view.getUint32(4, little);
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    yield { tag: view.getUint16(at, little), at, little };
  }
}

/** The largest `ispe` property in an ISO base media file: tiles and thumbnails have smaller ones. */
function largestExtent(view: DataView, start: number, end: number, largest: Size): Size {
  let at = start;
  while (at + 8 <= end) {
    const length = view.getUint32(at);
    const kind = view.getUint32(at + 4);
    const boxEnd = length === 0 ? end : Math.min(at + Math.max(length, 8), end);
    if (kind === 0x69737065) {
      const [width, height] = [view.getUint32(at + 12), view.getUint32(at + 16)];
      if (largest === undefined || width * height > largest[0] * largest[1]) largest = [width, height];
    } else if (kind === 0x6d657461) {
      largest = largestExtent(view, at + 12, boxEnd, largest); // meta: a full box, four bytes of version and flags
    } else if (kind === 0x69707270 || kind === 0x6970636f) {
      largest = largestExtent(view, at + 8, boxEnd, largest); // iprp, ipco
    }
    at = boxEnd;
  }
  return largest;
}
