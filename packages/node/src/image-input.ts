/** What counts as a picture in Node: a path, a file URL, encoded bytes, a Blob, or one of these with a name. */

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expected, ImprintError, isTagged, requireText } from '@imprint/core';

/** An encoded picture (JPEG, PNG, WebP, AVIF, GIF, TIFF): a path, a `file:` URL, its bytes, or a Blob. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob;

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

function isUrl(value: unknown): value is URL {
  return isTagged(value, 'URL');
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return isTagged(value, 'ArrayBuffer');
}

function isBlob(value: unknown): value is Blob {
  return isTagged(value, 'Blob') || isFile(value);
}

function isFile(value: unknown): value is File {
  return isTagged(value, 'File');
}

/** A file URL's path; undefined for other URLs, and for file URLs that name no file here (`file://elsewhere/a.jpg`). */
function pathOf(url: URL): string | undefined {
  try {
    return fileURLToPath(url);
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
  // Copied: the bytes go to another thread, and a small Buffer's ArrayBuffer is a pool that it shares with others.
  const bytes = isArrayBuffer(image) ? new Uint8Array(image.slice(0)) : new Uint8Array(image);
  return { bytes, id, source };
}
