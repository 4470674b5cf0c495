/** Downloads one file: resumed after a break, checked while it arrives, and put in its place only when it is whole and right. */

import { ImprintError } from '@imprint/core';
import type { AbortSignalLike } from '@imprint/core';
import { downloadFailed, TransientError } from './http-client.ts';
import type { HttpClient, HttpResponse } from './http-client.ts';
import { PartFile } from './part-file.ts';

export interface DownloadTarget {
  readonly url: string;
  /** Where the file goes; beside it `.part` and `.part.json` keep what a break left. */
  readonly path: string;
  /** What the file must have, where known. */
  readonly sizeBytes?: number;
  /** What the file must have: without it nothing could be trusted. */
  readonly sha256: string;
}

export interface Progress {
  readonly receivedBytes: number;
  /** Undefined until the server has said it. */
  readonly totalBytes: number | undefined;
}

export interface DownloadOptions {
  readonly signal?: AbortSignalLike;
  /** Called as bytes arrive, at most 20 times a second, and at the end. */
  readonly onProgress?: (progress: Progress) => void;
}

const PROGRESS_MS = 50;
const LFS_POINTER = 'version https://git-lfs.github.com/spec/';

/** Refuses pages and pointers that servers send in a file's place. */
function checkStart(url: string, contentType: string | undefined, start: Buffer): void {
  const text = start.subarray(0, 64).toString('latin1').trimStart().toLowerCase();
  if (contentType?.startsWith('text/html') || text.startsWith('<!doctype') || text.startsWith('<html')) {
    throw downloadFailed(
      url,
      'an HTML page instead of the file',
      'A login page or a proxy is in the way: open the address in a browser.',
    );
  }
  if (text.startsWith(LFS_POINTER)) {
    throw downloadFailed(
      url,
      'a git-LFS pointer instead of the file',
      'The mirror holds no large files: set IMPRINT_HUB_URL to one that does.',
    );
  }
}

/** Total length of the file that a response is, or is a part of. */
function totalLength(response: HttpResponse, start: number): number | undefined {
  const total = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1];
  if (total !== undefined) return Number(total);
  const length = response.headers['content-length'];
  return length === undefined ? undefined : start + Number(length);
}

async function receive(
  client: HttpClient,
  target: DownloadTarget,
  part: PartFile,
  report: (progress: Progress, force: boolean) => void,
  signal: AbortSignalLike | undefined,
): Promise<void> {
  const { url, sizeBytes, sha256 } = target;
  const headers: Record<string, string> = {};
  if (part.length > 0) {
    headers['range'] = `bytes=${part.length}-`;
    // Only a strong validator may stand in If-Range; without one the digest at the end decides.
    if (part.etag !== undefined && !part.etag.startsWith('W/')) headers['if-range'] = part.etag;
  }
  const response = await client.open(url, headers, signal);
  const { body, status } = response;
  try {
    if (status === 416) {
      // The part is longer than the file: it belongs to another version of it.
      await part.restart();
      throw new TransientError('a part that does not fit');
    }
    if (status === 200 && part.length > 0) await part.restart();
    if (status === 206 && !response.headers['content-range']?.startsWith(`bytes ${part.length}-`)) {
      await part.restart();
      throw new TransientError('another range than the one asked for');
    }
    const encoding = response.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw downloadFailed(
        url,
        `${encoding}-encoded bytes`,
        'A proxy on the way compresses downloads: try without it.',
      );
    }
    const total = totalLength(response, part.length);
    if (sizeBytes !== undefined && total !== undefined && total !== sizeBytes) {
      // An error page may be the reason, and says more than a length.
      const { value } = await body[Symbol.asyncIterator]().next();
      if (status === 200 && value) checkStart(url, response.headers['content-type'], value as Buffer);
      throw downloadFailed(
        url,
        `${total} bytes where ${sizeBytes} belong`,
        'The file was replaced or the mirror is wrong: check IMPRINT_HUB_URL.',
      );
    }
    const limit = sizeBytes ?? total;
    if (part.length === 0) await part.record(sha256, response.headers['etag']);
    for await (const chunk of body) {
      const bytes = chunk as Buffer;
      if (part.length === 0) checkStart(url, response.headers['content-type'], bytes);
      if (limit !== undefined && part.length + bytes.length > limit) {
        throw downloadFailed(
          url,
          `more than the ${limit} bytes that belong to it`,
          'The file was replaced or the mirror is wrong: check IMPRINT_HUB_URL.',
        );
      }
      await part.append(bytes);
      report({ receivedBytes: part.length, totalBytes: limit }, false);
    }
    if (limit !== undefined && part.length < limit)
      throw new TransientError(`the connection's end after ${part.length} of ${limit} bytes`);
    report({ receivedBytes: part.length, totalBytes: part.length }, true);
  } catch (error) {
    // Destroyed in the middle, undici's body emits the abort as an error of its own.
    body.on('error', () => undefined).destroy();
    if (error instanceof ImprintError || error instanceof TransientError || signal?.aborted) throw error;
    throw new TransientError(error instanceof Error ? error.message : String(error), undefined, { cause: error });
  }
}

/**
 * Downloads `target`. What a break, an abort or a kill leaves is kept and continued by the next call, in this process or
 * another. The file appears under its name only when its length and SHA-256 are right.
 *
 * One caller at a time for one path: see withFileLock.
 * @throws DOWNLOAD_FAILED, FILE_UNWRITABLE, or the signal's reason
 */
export async function downloadFile(
  client: HttpClient,
  target: DownloadTarget,
  options: DownloadOptions = {},
): Promise<void> {
  const { signal, onProgress } = options;
  let reportedAt = 0;
  const report = (progress: Progress, force: boolean): void => {
    const now = Date.now();
    if (!force && now - reportedAt < PROGRESS_MS) return;
    reportedAt = now;
    onProgress?.(progress);
  };
  const part = await PartFile.open(target, signal);
  const hadPart = part.length > 0;
  try {
    const isWhole =
      target.sizeBytes !== undefined && part.length === target.sizeBytes && part.sha256() === target.sha256;
    if (!isWhole)
      await client.withRetries(
        target.url,
        () => receive(client, target, part, report, signal),
        () => part.length,
        signal,
      );
    if (part.sha256() !== target.sha256 && hadPart) {
      // What an earlier run left may be what is wrong, so the whole file gets one chance.
      await part.restart();
      await client.withRetries(
        target.url,
        () => receive(client, target, part, report, signal),
        () => part.length,
        signal,
      );
    }
    const sha256 = part.sha256();
    if (sha256 !== target.sha256) {
      await part.discard();
      throw downloadFailed(
        target.url,
        `sha256 ${sha256} where ${target.sha256} belongs`,
        'The file was replaced or the mirror is wrong: check IMPRINT_HUB_URL, and do not use what it sends.',
      );
    }
    await part.moveTo(target.path);
  } finally {
    await part.close();
  }
}
