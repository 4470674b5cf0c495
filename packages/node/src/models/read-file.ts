/** Reads a model file whole and checks it against what its manifest says, with errors that tell the next step. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ImprintError } from '@imprint/core';
import type { AbortSignalLike, ManifestFile } from '@imprint/core';
import { NoRegularFile, regularFileSize } from '../regular-file.ts';

/** Bytes that are read and hashed between two turns of the event loop. */
const CHUNK_BYTES = 8 * 2 ** 20;
/** A Uint8Array's limit in Node 20, and far above any model that fits the work. */
const MAX_BYTES = 2 ** 32;

export interface FileContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** The error behind a failed read of `path`: FILE_UNREADABLE, or `missing` where there is nothing. */
export function readError(
  path: string,
  cause: unknown,
  missing: 'BACKBONE_NOT_FOUND' | 'FILE_UNREADABLE',
): ImprintError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new ImprintError(missing, `Expected a file at ${path}, found none. Check the path.`, { cause });
  }
  if (cause instanceof NoRegularFile) {
    const next = cause.found === 'a folder' ? 'Name the file in it.' : 'Check the path.';
    return new ImprintError('FILE_UNREADABLE', `Expected a file at ${path}, found ${cause.found}. ${next}`, { cause });
  }
  return new ImprintError('FILE_UNREADABLE', `Expected to read ${path}, got ${code ?? cause}. Check its permissions.`, {
    cause,
  });
}

/**
 * Reads `path` and its SHA-256; the caller owns the bytes.
 * @throws BACKBONE_NOT_FOUND where there is none, FILE_UNREADABLE where it cannot be read
 */
export async function readWithSha256(path: string, signal?: AbortSignalLike): Promise<FileContent> {
  let file;
  try {
    await regularFileSize(path);
    file = await open(path, 'r');
    const stat = await file.stat();
    if (stat.size > MAX_BYTES)
      throw new ImprintError('UNSUPPORTED', `Expected a model of at most 4 GiB at ${path}, got ${stat.size} bytes.`);
    const bytes = new Uint8Array(stat.size);
    const hash = createHash('sha256');
    let position = 0;
    while (position < bytes.length) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(bytes, position, Math.min(CHUNK_BYTES, bytes.length - position), position);
      if (bytesRead === 0) throw Object.assign(new Error('the file shrank while it was read'), { code: 'EIO' });
      hash.update(bytes.subarray(position, position + bytesRead));
      position += bytesRead;
    }
    return { bytes, sha256: hash.digest('hex') };
  } catch (cause) {
    if (cause instanceof ImprintError || signal?.aborted) throw cause;
    throw readError(path, cause, 'BACKBONE_NOT_FOUND');
  } finally {
    await file?.close();
  }
}

/** Throws BACKBONE_INVALID where `content` is not the file that `declared` describes. */
export function checkContent(
  content: FileContent,
  declared: ManifestFile,
  path: string,
  next = 'The file is damaged or was replaced: fetch it again, or correct the manifest.',
): void {
  if (content.bytes.length !== declared.sizeBytes) {
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected ${declared.sizeBytes} bytes in ${path}, got ${content.bytes.length}. ${next}`,
    );
  }
  if (content.sha256 !== declared.sha256) {
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected sha256 ${declared.sha256} of ${path}, got ${content.sha256}. ${next}`,
    );
  }
}
