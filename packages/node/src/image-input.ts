/** What counts as a picture in Node: a path, a file URL, encoded bytes, a Blob, or one of these with a name. */

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expected, ImprintError, isTagged, requireText } from '@imprint/core';

/** A URL: no class of Node's or the DOM's, since a program may know the types of neither. */
export interface UrlLike {
  readonly href: string;
  readonly pathname: string;
}

/** A Blob or File, likewise. */
export interface BlobLike {
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** An encoded picture (JPEG, PNG, WebP, AVIF, GIF, TIFF): a path, a `file:` URL, its bytes, or a Blob. */
export type ImageSource = string | UrlLike | Uint8Array | ArrayBuffer | BlobLike;

/** A picture, or a picture with an id and a source of the caller's choosing. */
export type ImageInput = ImageSource | { readonly image: ImageSource; readonly id?: string; readonly source?: string };

/** A picture on its way to a picture worker: exactly one of `path` and `bytes` is set. */
export interface OpenedImage {
  readonly path?: string;
  /** A copy of the caller's bytes, or bytes that nobody else holds: it may be transferred. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** The caller's id; without one the id comes from the bytes. */
  readonly id: string | undefined;
  /** The caller's source, else the file's base name. */
  readonly source: string | undefined;
}

function isSource(value: unknown): value is ImageSource {
  if (typeof value === 'string') return value !== '';
  return isUrl(value) || isTagged(value, 'Uint8Array') || isArrayBuffer(value) || isBlob(value);
}

function isUrl(value: unknown): value is UrlLike {
  return isTagged(value, 'URL');
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return isTagged(value, 'ArrayBuffer');
}

function isBlob(value: unknown): value is BlobLike {
  return isTagged(value, 'Blob') || isFile(value);
}

function isFile(value: unknown): value is BlobLike & { readonly name: string } {
  return isTagged(value, 'File');
}

/** A file URL's path; undefined for other URLs, and for file URLs that name no file here (`file://elsewhere/a.jpg`). */
function pathOf(url: UrlLike): string | undefined {
  try {
    return fileURLToPath(url.href);
  } catch {
    return undefined;
  }
}

/** The source that an input will be known by, also where opening it fails. */
export function sourceOf(input: ImageInput): string | undefined {
  const named = typeof input === 'object' && input !== null && 'image' in input;
  return (named ? input.source : undefined) ?? nameOf(named ? input.image : input);
}

/** Also of what is no picture, whatever it says of itself. */
function nameOf(image: unknown): string | undefined {
  if (typeof image === 'string') return basename(image);
  if (isUrl(image)) return basename(pathOf(image) ?? String(image.pathname));
  return isFile(image) ? image.name : undefined;
}

/**
 * Sorts out what was given; reads nothing but Blobs.
 * @throws INVALID_ARGUMENT for anything else than a picture, or a URL that is no local file; IMAGE_UNREADABLE for a Blob that fails
 */
export async function openImageInput(input: ImageInput): Promise<OpenedImage> {
  const named = typeof input === 'object' && input !== null && 'image' in input;
  const image = named ? input.image : input;
  const id = named ? input.id : undefined;
  if (!isSource(image)) {
    const what = 'a path, a file URL, encoded bytes (Uint8Array, ArrayBuffer) or a Blob';
    throw expected('image', what, image, 'For decoded pixels, encode them as PNG first.');
  }
  if (id !== undefined && (typeof id !== 'string' || id === '')) throw expected('id', 'a text that is not empty', id);
  requireText(named ? input.source : undefined, 'source');
  const source = sourceOf(input);
  if (typeof image === 'string') {
    if (/^(data|blob|https?):/i.test(image))
      throw expected('image', 'a path', image, 'Pass the bytes of what a URL names.');
    return { path: image, id, source };
  }
  if (isUrl(image)) {
    const path = pathOf(image);
    if (path !== undefined) return { path, id, source };
    throw new ImprintError(
      'INVALID_ARGUMENT',
      `Expected a file: URL of this machine for image, got ${String(image.href).slice(0, 80)}. Download it first and pass its bytes.`,
    );
  }
  if (isBlob(image)) {
    try {
      return { bytes: new Uint8Array(await image.arrayBuffer()), id, source };
    } catch (cause) {
      const message = `Expected a Blob that can be read for ${source ?? 'image'}, got ${String(cause)}. Its file may have changed: take it anew.`;
      throw new ImprintError('IMAGE_UNREADABLE', message, { cause });
    }
  }
  return { bytes: copyOf(image), id, source };
}

/** A copy: the bytes go to another thread, and a small Buffer's ArrayBuffer is a pool that it shares with others. */
function copyOf(image: Uint8Array | ArrayBuffer): Uint8Array<ArrayBuffer> {
  try {
    return isArrayBuffer(image) ? new Uint8Array(image.slice(0)) : new Uint8Array(image);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause; // memory, say
    const message =
      'Expected bytes that are still here for image, got a buffer that was transferred (detached). Pass a copy, or pass it first.';
    throw new ImprintError('INVALID_ARGUMENT', message, { cause });
  }
}
