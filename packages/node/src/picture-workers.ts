/** The worker threads that read, decode and preprocess pictures, with a bound on how many are decoded at once. */

import { availableParallelism } from 'node:os';
import { ImprintError, type ImprintErrorCode, type Preprocessing } from '@imprint/core';
import { openImageInput, type ImageInput } from './image-input.ts';
import { ownFile } from './own-files.ts';
import type { PictureReply, PictureRequest } from './picture-worker.ts';
import { WorkerCalls } from './worker-calls.ts';

/** Pictures in one worker at once: one in libvips while another is resized. Each may hold `maxPixels` decoded. */
const PICTURES_A_WORKER = 2;

/** A picture's own faults: the stream of the others goes on. */
const PICTURE_CODES: ReadonlySet<ImprintErrorCode> = new Set([
  'IMAGE_UNREADABLE',
  'IMAGE_TOO_LARGE',
  'INVALID_ARGUMENT',
]);

export interface PictureOptions {
  readonly preprocessing: Preprocessing;
  readonly maxPixels: number;
}

export class PictureWorkers {
  readonly #options: PictureOptions;
  readonly #workers: (WorkerCalls<PictureRequest, PictureReply> | undefined)[];
  readonly #turns: (() => void)[] = [];
  #underWay = 0;
  #disposed: Error | undefined;

  constructor(options: PictureOptions) {
    this.#options = options;
    // A worker prepares 150 to 400 photos a second; a CPU of four cores infers fewer than that.
    this.#workers = new Array<undefined>(Math.min(4, Math.max(1, Math.floor(availableParallelism() / 4)))).fill(
      undefined,
    );
  }

  /** Starts the first worker before there is a picture for it. */
  start(): void {
    this.#leastBusy();
  }

  /**
   * A picture's id and pixels, or what is wrong with it. Rejects when the worker fails, and where nobody wants it any more when its
   * turn comes: the pictures of a stream that has ended let others by.
   */
  async prepare(input: ImageInput, isWanted: () => boolean): Promise<PictureReply | { readonly error: ImprintError }> {
    if (this.#underWay >= this.#workers.length * PICTURES_A_WORKER) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    } else {
      this.#underWay++;
    }
    try {
      if (!isWanted()) throw new Error('nobody waits for this picture');
      const { path, bytes, id, source } = await openImageInput(input);
      const what = path ?? source ?? 'the picture';
      const request = { ...(path !== undefined && { path }), ...(bytes && { bytes }), what, ...this.#options };
      const reply = await this.#leastBusy().call(request, bytes ? [bytes.buffer] : []);
      return { id: id ?? reply.id, pixels: reply.pixels };
    } catch (error) {
      if (error instanceof ImprintError && PICTURE_CODES.has(error.code)) return { error };
      throw error;
    } finally {
      const next = this.#turns.shift();
      if (next) next();
      else this.#underWay--;
    }
  }

  #leastBusy(): WorkerCalls<PictureRequest, PictureReply> {
    if (this.#disposed) throw this.#disposed;
    let best = 0;
    for (let i = 0; i < this.#workers.length; i++) {
      const worker = this.#workers[i];
      if (worker === undefined || worker.closed) {
        best = i;
        break;
      }
      if (worker.pending < this.#workers[best]!.pending) best = i;
    }
    let worker = this.#workers[best];
    if (worker === undefined || worker.closed) {
      worker = new WorkerCalls(ownFile('picture-worker.js'), 'the picture worker');
      this.#workers[best] = worker;
    }
    return worker;
  }

  async dispose(reason: Error): Promise<void> {
    this.#disposed = reason;
    await Promise.all(this.#workers.map((worker) => worker?.terminate(reason)));
  }
}
