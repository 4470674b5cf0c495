/** What came from the page becomes an id and the model's input. */

import { flattenOnWhite, ImprintError, preprocessInto } from '@imprint/core';
import type { DecodedPicture, Preprocessing } from '@imprint/core';
import type { WireImage, WirePicture } from '../protocol.ts';
import { decodePicture, readPixels } from './decode-picture.ts';
import { sha256 } from './sha256.ts';

export interface PreparedImage {
  readonly id: string;
  /** Float32Array, 3 x size x size. */
  readonly pixels: Float32Array<ArrayBuffer>;
}

/**
 * Decodes and preprocesses one picture. A file's id comes from its bytes, as in Node; that of mere pixels from the pixels.
 * @throws IMAGE_UNREADABLE, IMAGE_TOO_LARGE
 */
export async function prepareImage(
  image: WireImage,
  preprocessing: Preprocessing,
  maxPixels: number,
): Promise<PreparedImage> {
  const what = image.source ?? 'image';
  try {
    const bytes = await encodedBytes(image.picture, what);
    const decoded =
      bytes === undefined ? readyPixels(image.picture, what, maxPixels) : await decodePicture(bytes, what, maxPixels);
    const id = image.id ?? (await sha256(bytes ?? pixelBytes(decoded))).slice(0, 16);
    const pixels = new Float32Array(3 * preprocessing.size ** 2);
    preprocessInto(decoded.rgb, decoded.width, decoded.height, preprocessing, pixels);
    return { id, pixels };
  } catch (cause) {
    if (cause instanceof ImprintError) throw cause;
    // Whatever else one picture does to us (memory that it does not fit, say) is its fault, not the stream's.
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new ImprintError(
      'IMAGE_UNREADABLE',
      `Expected to prepare ${what}, got: ${got}. Leave it out, or make it smaller.`,
      { cause },
    );
  }
}

/** Frees the frame or bitmap of an input that nobody will look at; of any other argument, nothing. Idempotent. */
export function letGo(input: unknown): void {
  const { frame, bitmap } = ((input as Partial<WireImage> | undefined)?.picture ?? {}) as Partial<
    Record<'frame' | 'bitmap', { close(): void }>
  >;
  frame?.close();
  bitmap?.close();
}

/** The file's bytes; undefined for what is pixels already. */
async function encodedBytes(picture: WirePicture, what: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  switch (picture.kind) {
    case 'bytes':
      return new Uint8Array(picture.bytes as ArrayBuffer);
    case 'blob':
      try {
        return new Uint8Array(await picture.blob.arrayBuffer());
      } catch (cause) {
        const message = `Expected a file that can be read for ${what}, got ${String(cause)}. It may have changed or moved: choose it again.`;
        throw new ImprintError('IMAGE_UNREADABLE', message, { cause });
      }
    case 'url':
      return fetchPicture(picture.url, what);
    default:
      return undefined;
  }
}

async function fetchPicture(url: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  if (url.startsWith('data:')) return dataBytes(url, what);
  let response: Response;
  try {
    response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ImprintError(
      'IMAGE_UNREADABLE',
      `Expected a picture at ${shown(url)}, could not fetch it (${why}). Check the network and the page's connect-src policy (blob: for object URLs), or pass the Blob itself.`,
      { cause },
    );
  }
  throw new ImprintError(
    'IMAGE_UNREADABLE',
    `Expected a picture at ${shown(url)} for ${what}, got HTTP ${response.status}. Check the address.`,
  );
}

/** A data: URL's bytes, without a request: strict policies forbid it. */
function dataBytes(url: string, what: string): Uint8Array<ArrayBuffer> {
  const comma = url.indexOf(',');
  try {
    const text = decodeURIComponent(url.slice(comma + 1));
    if (!url.slice(0, comma).toLowerCase().endsWith(';base64')) return new TextEncoder().encode(text);
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    const message = `Expected a data: URL for ${what}, got ${shown(url)} with damaged data. Encode it again.`;
    throw new ImprintError('IMAGE_UNREADABLE', message, { cause });
  }
}

function readyPixels(picture: WirePicture, what: string, maxPixels: number): DecodedPicture {
  if (picture.kind === 'pixels') {
    const { data, width, height } = picture.pixels;
    requireFew(width, height, what, maxPixels);
    return { rgb: flattenOnWhite(data as Uint8ClampedArray), width, height };
  }
  if (picture.kind === 'bitmap') {
    const { bitmap } = picture;
    requireFew(bitmap.width, bitmap.height, what, maxPixels);
    return readPixels(bitmap, bitmap.width, bitmap.height);
  }
  if (picture.kind === 'frame') {
    const { frame } = picture;
    requireFew(frame.displayWidth, frame.displayHeight, what, maxPixels);
    return readPixels(frame, frame.displayWidth, frame.displayHeight);
  }
  throw new ImprintError('INVALID_ARGUMENT', `Expected pixels, got ${picture.kind}.`);
}

function requireFew(width: number, height: number, what: string, maxPixels: number): void {
  if (width * height <= maxPixels) return;
  throw new ImprintError(
    'IMAGE_TOO_LARGE',
    `Expected at most ${maxPixels / 1e6} megapixels for ${what}, got ${width} x ${height}. Make it smaller.`,
  );
}

/** Pixels with their size, so that 2 x 8 and 4 x 4 of one colour differ. */
function pixelBytes({ rgb, width, height }: DecodedPicture): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + rgb.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  bytes.set(rgb, 8);
  return bytes;
}

function shown(url: string): string {
  return url.length > 80 ? `${url.slice(0, 77)}...` : url;
}
