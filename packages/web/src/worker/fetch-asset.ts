/** Fetches what the worker needs from its own origin, and tells apart what web servers send in its place. */

import { ImprintError } from '@imprint/core';
import { sha256 } from './sha256.ts';

/**
 * The bytes at `url`, inflated where they are gzip.
 * @param what the file's part, for messages: `the backbone's model`
 * @throws BACKBONE_NOT_FOUND where there is none or the network fails, BACKBONE_INVALID where an HTML page came instead
 */
export async function fetchAsset(url: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    response = await fetch(url, { credentials: 'same-origin' });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Expected ${what} at ${url}, could not fetch it (${why}). Check the network and the page's connect-src policy.`;
    throw new ImprintError('BACKBONE_NOT_FOUND', message, { cause });
  }
  if (!response.ok) {
    const message = `Expected ${what} at ${url}, got HTTP ${response.status}. ${WHERE_TO_PUT}`;
    throw new ImprintError('BACKBONE_NOT_FOUND', message);
  }
  if (isHtml(bytes)) {
    const message = `Expected ${what} at ${url}, got an HTML page (servers of single-page apps send one for files they do not have). ${WHERE_TO_PUT}`;
    throw new ImprintError('BACKBONE_NOT_FOUND', message);
  }
  return isGzip(bytes) ? inflate(bytes, url, what) : bytes;
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

/** The next step where a file is not where it should be. */
const WHERE_TO_PUT =
  'Copy the files there by `npx imprint-web-assets DIR`, or pass the URL of their folder as `assets`.';

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

async function inflate(bytes: Uint8Array<ArrayBuffer>, url: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    const message = `Expected ${what} at ${url} as gzip, got damaged data. Copy it again by \`npx imprint-web-assets DIR\`.`;
    throw new ImprintError('BACKBONE_INVALID', message, { cause });
  }
}
