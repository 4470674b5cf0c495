/** Iterables that live on the page, read from the worker one item at a time: the page is asked, never pushed. */

import type { FromWorker } from '../protocol.ts';
import { letGo } from './open-image.ts';
import { fromWireError, type WireError } from '../wire-error.ts';

interface Waiting {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void;
  readonly reject: (error: Error) => void;
}

export class PageStreams {
  readonly #post: (message: FromWorker) => void;
  readonly #waiting = new Map<number, Waiting[]>();

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  /** Reads stream `stream` of the page. Several `next()` may wait at once; they are answered in order. */
  open<T>(stream: number): AsyncIterableIterator<T> {
    const waiting: Waiting[] = [];
    this.#waiting.set(stream, waiting);
    const iterator: AsyncIterableIterator<T> = {
      next: () => {
        if (this.#waiting.get(stream) !== waiting) return Promise.resolve({ done: true, value: undefined });
        return new Promise<IteratorResult<T, undefined>>((resolve, reject) => {
          waiting.push({ resolve: resolve as Waiting['resolve'], reject });
          this.#post({ type: 'pull', stream });
        });
      },
      return: () => {
        if (this.#waiting.get(stream) === waiting) {
          this.end(stream);
          this.#post({ type: 'stop', stream });
        }
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  item(stream: number, value: unknown): void {
    const next = this.#waiting.get(stream)?.shift();
    if (next === undefined) letGo(value);
    else next.resolve({ done: false, value });
  }

  /** The page's iterable has ended, or failed: the first reader gets the error, the others the end. */
  end(stream: number, error?: WireError): void {
    const waiting = this.#waiting.get(stream) ?? [];
    this.#waiting.delete(stream);
    const first = error === undefined ? undefined : waiting.shift();
    if (error !== undefined) first?.reject(fromWireError(error));
    for (const { resolve } of waiting) resolve({ done: true, value: undefined });
  }
}
