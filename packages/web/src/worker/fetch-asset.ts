/** Fetches what the worker needs from its own origin, and tells apart what web servers send in its place. */

import { concatBytes, ImprintError } from '@imprint/core';
import { sha256 } from './sha256.ts';

/**
 * The bytes at `url`, inflated while they arrive where they are gzip.
 * @param what the file's part, for messages: `the backbone's model`
 * @throws BACKBONE_NOT_FOUND where there is none or the network fails, BACKBONE_INVALID where it is damaged gzip
 */
export async function fetchAsset(url: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  const broken = (cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Expected ${what} at ${url}, could not fetch it (${why}). Check the network and the page's connect-src policy.`;
    return new ImprintError('BACKBONE_NOT_FOUND', message, { cause });
  };
  const response = await fetch(url, { credentials: 'same-origin' }).catch((cause: unknown) => {
    throw broken(cause);
  });
  if (!response.ok) {
    void response.body?.cancel().catch(() => undefined);
    const message = `Expected ${what} at ${url}, got HTTP ${response.status}. ${WHERE_TO_PUT}`;
    throw new ImprintError('BACKBONE_NOT_FOUND', message);
  }
  const { head, all } = await peek(response.body ?? new Blob().stream(), HEAD_BYTES, broken);
  if (isHtml(head)) {
    void all.cancel().catch(() => undefined);
    const message = `Expected ${what} at ${url}, got an HTML page (servers of single-page apps send one for files they do not have). ${WHERE_TO_PUT}`;
    throw new ImprintError('BACKBONE_NOT_FOUND', message);
  }
  if (!isGzip(head)) return readAll(all);
  try {
    return await readAll(all.pipeThrough(new DecompressionStream('gzip')));
  } catch (cause) {
    if (cause instanceof ImprintError) throw cause;
    const message = `Expected ${what} at ${url} as gzip, got damaged data. Copy it again by \`npx imprint-web-assets DIR\`.`;
    throw new ImprintError('BACKBONE_INVALID', message, { cause });
  }
}

/** A module by its URL. @param what as in "ONNX Runtime's script" @throws BACKBONE_NOT_FOUND */
export async function importScript<Script>(url: string, what: string): Promise<Script> {
  try {
    return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ url)) as Script;
  } catch (cause) {
    const message = `Expected ${what} at ${url}, could not load it (${cause instanceof Error ? cause.message : String(cause)}). Check the network. ${WHERE_TO_PUT}`;
    throw new ImprintError('BACKBONE_NOT_FOUND', message, { cause });
  }
}

/** Enough to tell an HTML page, also after blank lines, from gzip and from everything else. */
const HEAD_BYTES = 64;

/** The next step where a file is not where it should be. */
const WHERE_TO_PUT =
  'Copy the files there by `npx imprint-web-assets DIR`, or pass the URL of their folder as `assets`.';

/** The error for files that are there and do not do what this release's do. */
export function wrongFile(what: string, where: string, cause: unknown): ImprintError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `Expected ${what} of this release at ${where}, got something else (${why}). Copy the files again by \`npx imprint-web-assets DIR\`, and clear caches that may keep old ones.`;
  return new ImprintError('BACKBONE_INVALID', message, { cause });
}

/** Throws BACKBONE_INVALID where the bytes are not those that a manifest describes. */
export async function requireSha256(
  bytes: Uint8Array<ArrayBuffer>,
  declared: { readonly sizeBytes: number; readonly sha256: string },
  url: string,
): Promise<void> {
  const next = 'The file is damaged or of another release: copy it again, and clear caches that may keep an old one.';
  if (bytes.length !== declared.sizeBytes) {
    const message = `Expected ${declared.sizeBytes} bytes in ${url}, got ${bytes.length}. ${next}`;
    throw new ImprintError('BACKBONE_INVALID', message);
  }
  const digest = await sha256(bytes);
  if (digest !== declared.sha256) {
    throw new ImprintError('BACKBONE_INVALID', `Expected sha256 ${declared.sha256} of ${url}, got ${digest}. ${next}`);
  }
}

function isHtml(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().toLowerCase();
  return start.startsWith('<!doctype') || start.startsWith('<html');
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** The first bytes of `stream`, `count` or more where it has them, and a stream of all. @param broken the error for one that breaks */
async function peek(
  stream: ReadableStream<Bytes>,
  count: number,
  broken: (cause: unknown) => ImprintError,
): Promise<{ head: Bytes; all: ReadableStream<Bytes> }> {
  const reader = stream.getReader();
  const read = () =>
    reader.read().catch((cause: unknown) => {
      throw broken(cause);
    });
  let head: Bytes = new Uint8Array();
  for (let next = await read(); !next.done; next = await read()) {
    head = concatBytes([head, next.value]);
    if (head.length >= count) break;
  }
  const all = new ReadableStream<Bytes>({
    start: (controller) => controller.enqueue(head),
    async pull(controller) {
      const { done, value } = await read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { head, all };
}

/** A stream's bytes in one array: in Chromium half the time of `Response.arrayBuffer()`. */
async function readAll(stream: ReadableStream<Bytes>): Promise<Bytes> {
  const parts: Bytes[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
  return concatBytes(parts);
}
