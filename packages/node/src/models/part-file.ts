/** What has arrived of a download, on the disk beside its goal, with its running digest. */

import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ImprintError } from '@imprint/core';
import type { AbortSignalLike } from '@imprint/core';

/** What the file `.part` is a part of; anything else than this is thrown away. */
interface PartRecord {
  readonly sha256: string;
  readonly etag: string | undefined;
}

function diskError(path: string, cause: unknown): ImprintError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const next =
    code === 'ENOSPC'
      ? 'Free some space, or set IMPRINT_CACHE to another disk.'
      : 'Check its permissions, or set IMPRINT_CACHE to another folder.';
  return new ImprintError('FILE_UNWRITABLE', `Expected to write ${path}, got ${code}. ${next}`, { cause });
}

/** The open `.part` file with what has arrived and its running digest. */
export class PartFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #hash: Hash;
  length: number;
  etag: string | undefined;

  private constructor(path: string, handle: FileHandle, hash: Hash, length: number, etag: string | undefined) {
    this.path = path;
    this.#handle = handle;
    this.#hash = hash;
    this.length = length;
    this.etag = etag;
  }

  /** Opens what a break left of the file with this digest, or an empty one. */
  static async open(target: { path: string; sha256: string }, signal: AbortSignalLike | undefined): Promise<PartFile> {
    const path = `${target.path}.part`;
    try {
      await mkdir(dirname(path), { recursive: true });
      let record: Partial<PartRecord> = {};
      try {
        record = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Partial<PartRecord>;
      } catch {
        // No record, or half of one: then the part is of no use either.
      }
      const isOurs = record.sha256 === target.sha256;
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
      if (!isOurs) await handle.truncate(0);
      const hash = createHash('sha256');
      let length = 0;
      const chunk = Buffer.alloc(2 ** 20);
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, length);
        if (bytesRead === 0) break;
        hash.update(chunk.subarray(0, bytesRead));
        length += bytesRead;
      }
      const etag = typeof record.etag === 'string' ? record.etag : undefined;
      return new PartFile(path, handle, hash, length, etag);
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw diskError(path, cause);
    }
  }

  /** Notes what the part belongs to, before its first byte is written. */
  async record(sha256: string, etag: string | undefined): Promise<void> {
    this.etag = etag;
    await writeFile(`${this.path}.json`, JSON.stringify({ sha256, etag } satisfies PartRecord)).catch(
      (cause: unknown) => {
        throw diskError(this.path, cause);
      },
    );
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.length = 0;
    this.etag = undefined;
  }

  async append(chunk: Buffer): Promise<void> {
    try {
      // By position: after a restart the handle's own would still be where the old content ended.
      for (let done = 0; done < chunk.length;) {
        done += (await this.#handle.write(chunk, done, chunk.length - done, this.length + done)).bytesWritten;
      }
    } catch (cause) {
      throw diskError(this.path, cause);
    }
    this.#hash.update(chunk);
    this.length += chunk.length;
  }

  sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Bytes on the disk, then the name: after a power cut there is the whole file or none. */
  async moveTo(path: string): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.path, path);
      await rm(`${this.path}.json`, { force: true });
    } catch (cause) {
      throw diskError(path, cause);
    }
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
    await rm(`${this.path}.json`, { force: true });
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}
