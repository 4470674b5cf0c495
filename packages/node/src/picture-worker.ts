/** A worker thread that reads, decodes and preprocesses pictures, so that neither the event loop nor inference waits for it. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImprintError, preprocessInto, type Preprocessing } from '@imprint/core';
import { decodePicture } from './decode-picture.ts';
import { loadSharp } from './native-modules.ts';
import { lostItsName, NoRegularFile, regularFileSize } from './regular-file.ts';
import { answerCalls } from './worker-calls.ts';

/** Exactly one of `path` and `bytes` is set. */
export interface PictureRequest {
  readonly path?: string;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** The picture's name in messages. */
  readonly what: string;
  readonly maxPixels: number;
  readonly preprocessing: Preprocessing;
}

export interface PictureReply {
  /** Core's `imageId` of the encoded bytes. */
  readonly id: string;
  /** Float32Array, 3 x size x size. */
  readonly pixels: Float32Array<ArrayBuffer>;
}

/** RGBA of 16 bits, the most that any format takes for a pixel, and room for metadata. */
function mostBytes(maxPixels: number): number {
  return 8 * maxPixels + 2 ** 20;
}

/** Pauses while the process has no file handle left for a picture: others close theirs. */
const HANDLE_PAUSES_MS: readonly number[] = [20, 50, 100, 200, 400, 800];

function isShortOfHandles({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EMFILE' || code === 'ENFILE';
}

async function readWithPatience(path: string): Promise<Uint8Array> {
  for (const pauseMs of HANDLE_PAUSES_MS) {
    try {
      return await readFile(path);
    } catch (error) {
      if (!isShortOfHandles(error as NodeJS.ErrnoException)) throw error;
    }
    await sleep(pauseMs);
  }
  return readFile(path);
}

function unreadable(path: string, error: NodeJS.ErrnoException): ImprintError {
  if (isShortOfHandles(error)) {
    // Not the picture's fault: nothing that leaves out unreadable pictures may leave this one out.
    const message = `Expected a free file handle to read ${path}, got ${error.code} (too many open files). Close some, or raise the limit (ulimit -n).`;
    return new ImprintError('FILE_UNREADABLE', message, { cause: error });
  }
  let found = error instanceof NoRegularFile ? error.found : error.message;
  let next = 'Check the path.';
  if (error.code === 'ENOENT') {
    found = 'no such file';
    if (lostItsName(path)) {
      found = 'a name that is not UTF-8';
      next = 'Rename the file.';
    }
  }
  return new ImprintError('IMAGE_UNREADABLE', `Expected a picture at ${path}, got ${found}. ${next}`, { cause: error });
}

async function readPicture(path: string, maxPixels: number): Promise<Uint8Array> {
  try {
    const sizeBytes = await regularFileSize(path);
    const most = mostBytes(maxPixels);
    if (sizeBytes <= most) return await readWithPatience(path);
    const [wanted, got] = [most, sizeBytes].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`);
    const message = `Expected at most ${wanted} for ${path} (8 bytes for each of maxPixels), got ${got}.`;
    throw new ImprintError('IMAGE_TOO_LARGE', `${message} Make it smaller, or raise maxPixels.`);
  } catch (error) {
    throw error instanceof ImprintError ? error : unreadable(path, error as NodeJS.ErrnoException);
  }
}

async function preparePicture({ path, bytes, what, maxPixels, preprocessing }: PictureRequest): Promise<PictureReply> {
  const encoded = bytes ?? (await readPicture(path!, maxPixels));
  const { rgb, width, height } = await decodePicture(encoded, what, maxPixels);
  const pixels = new Float32Array(3 * preprocessing.size ** 2);
  preprocessInto(rgb, width, height, preprocessing, pixels);
  // The same digits as core's imageId; OpenSSL takes a tenth of the time, and a photo may have 10 MB.
  const id = createHash('sha256').update(encoded).digest('hex').slice(0, 16);
  return { id, pixels };
}

/** Whatever else one picture does to us (memory that it does not fit, say) is its fault, not the stream's. */
async function prepareOrBlame(request: PictureRequest): Promise<PictureReply> {
  try {
    return await preparePicture(request);
  } catch (cause) {
    if (cause instanceof ImprintError) throw cause;
    const got = cause instanceof Error ? cause.message : String(cause);
    const message = `Expected to prepare ${request.what}, got: ${got}. Leave it out, or make it smaller.`;
    throw new ImprintError('IMAGE_UNREADABLE', message, { cause });
  }
}

// Before the first picture comes. What is wrong with sharp is told to the call that needs it.
await loadSharp().catch(() => undefined);

answerCalls(prepareOrBlame, (reply) => [reply.pixels.buffer]);
