/** The page's part with a picture: what only the page can read becomes a bitmap or a frame; everything else goes as it is. */

import { describe, expected, ImprintError, isTagged } from '@imprint/core';
import type { WireImage, WireInput, WirePicture } from './protocol.ts';
import type { ImageInput, ImageSource } from './web-classifier.ts';
import { toWireError } from './wire-error.ts';

/** A value for the worker, and what moves with it. */
export interface Moved<T> {
  readonly value: T;
  readonly transfer: Transferable[];
  /** What goes instead where the value cannot be sent: one bad input must not end a stream. */
  readonly instead?: (error: ImprintError) => unknown;
}

/** Lets go of frames and bitmaps that were not sent; of those that were, nothing is left here. */
export function closeMoved(transfer: readonly Transferable[]): void {
  for (const item of transfer) (item as { close?(): void }).close?.();
}

const KINDS =
  'a Blob, a File, encoded bytes, a URL of this origin, ImageData, ImageBitmap, VideoFrame, OffscreenCanvas, or an <img>, <canvas> or <video> element';

/** An instance of this class of the host, or of another frame's. */
function isA<Name extends keyof typeof globalThis & string>(
  value: unknown,
  name: Name,
): value is (typeof globalThis)[Name] extends abstract new (...args: never[]) => infer Instance ? Instance : never {
  return isTagged(value, name);
}

export function isBlob(value: unknown): value is Blob {
  return isTagged(value, 'Blob') || isTagged(value, 'File');
}

export function isBytes(value: unknown): value is ArrayBuffer | Uint8Array {
  return isTagged(value, 'ArrayBuffer') || isTagged(value, 'Uint8Array');
}

function isSource(value: unknown): value is ImageSource {
  if (typeof value === 'string') return value !== '';
  return (
    isBlob(value) ||
    isBytes(value) ||
    isA(value, 'URL') ||
    isA(value, 'ImageData') ||
    isA(value, 'ImageBitmap') ||
    isA(value, 'HTMLImageElement') ||
    isA(value, 'HTMLCanvasElement') ||
    isA(value, 'HTMLVideoElement') ||
    isA(value, 'OffscreenCanvas') ||
    isA(value, 'VideoFrame')
  );
}

/** The last part of a URL's path; undefined for blob: and data: URLs, which have no names. */
function nameOf(url: string): string | undefined {
  if (/^(blob|data):/i.test(url)) return undefined;
  const last = url.split(/[?#]/)[0].split('/').at(-1);
  try {
    return decodeURIComponent(last ?? '') || undefined;
  } catch {
    return last;
  }
}

/** The source that an input is known by. */
export function sourceOf(input: ImageInput): string | undefined {
  if (typeof input === 'object' && input !== null && 'image' in input) return input.source ?? sourceOf(input.image);
  if (typeof input === 'string') return nameOf(input);
  if (isA(input, 'URL')) return nameOf(input.href);
  if (isA(input, 'File')) return input.name || undefined;
  if (isA(input, 'HTMLImageElement')) return nameOf(input.currentSrc || input.src);
  return undefined;
}

/**
 * Makes one input ready for the worker. Nothing of the caller's is moved or changed: bitmaps and frames are copies.
 * @throws INVALID_ARGUMENT for what is no picture; IMAGE_UNREADABLE for an element that shows none yet
 */
export async function toWireImage(input: ImageInput): Promise<Moved<WireImage>> {
  const named = typeof input === 'object' && input !== null && 'image' in input;
  const image: unknown = named ? input.image : input;
  const id = named ? input.id : undefined;
  if (!isSource(image)) throw expected('image', KINDS, image);
  if (id !== undefined && (typeof id !== 'string' || id === '')) throw expected('id', 'a text that is not empty', id);
  const source: unknown = sourceOf(input);
  if (source !== undefined && typeof source !== 'string') throw expected('source', 'a text', source);
  const picture = await toWirePicture(image, source ?? describe(image));
  const moved = picture.kind === 'bitmap' ? [picture.bitmap] : picture.kind === 'frame' ? [picture.frame] : [];
  return { value: { picture, id, source }, transfer: moved };
}

/** As `toWireImage`, with a fault in place of an error: one bad input must not end a stream. */
export async function toWireInput(input: ImageInput): Promise<Moved<WireInput>> {
  const instead = (error: unknown): WireInput => ({ fault: toWireError(error), source: safeSourceOf(input) });
  try {
    return { ...(await toWireImage(input)), instead };
  } catch (error) {
    return { value: instead(error), transfer: [] };
  }
}

function safeSourceOf(input: unknown): string | undefined {
  const source: unknown = input === null || input === undefined ? undefined : sourceOf(input as ImageInput);
  return typeof source === 'string' ? source : undefined;
}

async function toWirePicture(image: ImageSource, what: string): Promise<WirePicture> {
  if (isBlob(image)) return { kind: 'blob', blob: image };
  if (isBytes(image)) return { kind: 'bytes', bytes: readableBytes(image, what) };
  if (typeof image === 'string' || isA(image, 'URL')) return { kind: 'url', url: sameOrigin(image) };
  if (isA(image, 'HTMLVideoElement')) return videoFrame(image);
  let shown = image;
  if (isA(image, 'ImageData')) {
    if (image.data.length !== image.width * image.height * 4) throw wasMoved(what);
    // Other colours and kinds of numbers are for the browser to convert.
    if (image.colorSpace === 'srgb' && isTagged(image.data, 'Uint8ClampedArray'))
      return { kind: 'pixels', pixels: image };
  } else if (isA(image, 'HTMLImageElement')) shown = await loaded(image, what);
  try {
    if (isA(image, 'VideoFrame')) return { kind: 'frame', frame: image.clone() };
    return { kind: 'bitmap', bitmap: await createImageBitmap(shown as ImageBitmapSource, BITMAP_OPTIONS) };
  } catch (cause) {
    throw notReady(
      what,
      `${describe(image)} that gives no pixels (${messageOf(cause)})`,
      'Check that it has loaded and has a size.',
      cause,
    );
  }
}

/** The pixels as they are stored: the same that the worker asks for when it decodes a file. */
export const BITMAP_OPTIONS: ImageBitmapOptions = { premultiplyAlpha: 'none', imageOrientation: 'from-image' };

/** A camera in Chromium announces its first frame some 50 ms before that can be read. */
const FIRST_FRAME_MS = 1000;

/** Frames go by reference; a bitmap is the way of browsers without WebCodecs. */
async function videoFrame(video: HTMLVideoElement): Promise<WirePicture> {
  // HAVE_CURRENT_DATA
  if (video.readyState < 2 || video.videoWidth === 0) {
    throw notReady('the video', 'one that shows no frame yet', 'Wait for its `loadeddata` event, or check the camera.');
  }
  const deadline = performance.now() + FIRST_FRAME_MS;
  for (;;) {
    try {
      if ('VideoFrame' in globalThis) return { kind: 'frame', frame: new VideoFrame(video) };
      return { kind: 'bitmap', bitmap: await createImageBitmap(video, BITMAP_OPTIONS) };
    } catch (cause) {
      const isTooEarly = cause instanceof DOMException && cause.name === 'InvalidStateError';
      if (!isTooEarly || performance.now() > deadline) {
        const what = `one whose frames cannot be read (${messageOf(cause)})`;
        throw notReady('the video', what, 'Serve it from this origin.', cause);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The element, or, where it would wait until someone scrolls to it, another that does not. */
async function loaded(image: HTMLImageElement, what: string): Promise<HTMLImageElement> {
  let eager = image;
  if (image.loading === 'lazy' && !image.complete) {
    eager = new Image();
    eager.crossOrigin = image.crossOrigin;
    eager.src = image.currentSrc || image.src;
  }
  try {
    await eager.decode();
    return eager;
  } catch (cause) {
    throw notReady(what, `an <img> that has not loaded (${messageOf(cause)})`, 'Check its address.', cause);
  }
}

/** @throws IMAGE_UNREADABLE for bytes that are in another thread now */
function readableBytes<T extends ArrayBuffer | Uint8Array>(bytes: T, what: string): T {
  try {
    // Fails for a buffer that was moved, of which an array has no bytes.
    new Uint8Array((bytes as Partial<Uint8Array>).buffer ?? (bytes as ArrayBuffer));
    return bytes;
  } catch {
    throw wasMoved(what);
  }
}

function wasMoved(what: string): ImprintError {
  return notReady(what, 'data that was moved to another thread', 'Pass a copy, or pass it before it is moved.');
}

function sameOrigin(url: string | URL): string {
  let absolute: URL;
  try {
    absolute = new URL(url, document.baseURI);
  } catch {
    throw expected('image', 'a URL, absolute or relative to the page', url);
  }
  const own = absolute.protocol === 'blob:' || absolute.protocol === 'data:' || absolute.origin === location.origin;
  if (own) return absolute.href;
  throw new ImprintError(
    'INVALID_ARGUMENT',
    `Expected a URL of this page's origin (${location.origin}) for image, got ${describe(absolute.href)}. Fetch it yourself and pass the Blob.`,
  );
}

function notReady(what: string, got: string, next: string, cause?: unknown): ImprintError {
  return new ImprintError('IMAGE_UNREADABLE', `Expected a picture for ${what}, got ${got}. ${next}`, { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
