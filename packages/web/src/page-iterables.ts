/** Iterables of the page that the worker reads: one item for each that it asks for, so nothing piles up between them. */

import { notSent } from './check-arguments.ts';
import { closeMoved, type Moved } from './image-transfer.ts';
import type { ToWorker } from './protocol.ts';
import { toWireError } from './wire-error.ts';

/** Makes an item ready for the worker. */
export type ItemOf<T> = (item: T) => Promise<Moved<unknown>>;

interface Open {
  readonly iterator: Iterator<unknown> | AsyncIterator<unknown>;
  readonly toItem: ItemOf<unknown>;
  /** Items leave in the order in which they were asked for. */
  last: Promise<void>;
}

export class PageIterables {
  readonly #post: (message: ToWorker, transfer?: Transferable[]) => void;
  readonly #open = new Map<number, Open>();
  /** What the caller's own iterables threw. */
  readonly #faults = new Map<number, unknown>();
  #next = 0;

  constructor(post: (message: ToWorker, transfer?: Transferable[]) => void) {
    this.#post = post;
  }

  add<T>(items: Iterable<T> | AsyncIterable<T>, toItem: ItemOf<T>): number {
    const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    const stream = this.#next++;
    this.#open.set(stream, { iterator, toItem: toItem as ItemOf<unknown>, last: Promise.resolve() });
    return stream;
  }

  /** Reads one item and sends it, or the end. */
  async pull(stream: number): Promise<void> {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    open.last = open.last.then(() => this.#sendOne(stream, open));
    await open.last;
  }

  /** The worker, or the call's end, has no more use for it. Idempotent. */
  stop(stream: number): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    this.#open.delete(stream);
    void Promise.resolve(open.iterator.return?.()).catch(() => undefined);
  }

  /** The error that one of `streams` threw, as it was thrown; it is told once. */
  takeFault(streams: readonly number[]): { readonly error: unknown } | undefined {
    const faulty = streams.find((stream) => this.#faults.has(stream));
    if (faulty === undefined) return undefined;
    const error = this.#faults.get(faulty);
    this.#faults.delete(faulty);
    return { error };
  }

  async #sendOne(stream: number, { iterator, toItem }: Open): Promise<void> {
    if (!this.#open.has(stream)) return;
    try {
      const { done, value } = await iterator.next();
      if (!this.#open.has(stream)) return;
      if (done === true) {
        this.#open.delete(stream);
        this.#post({ type: 'end', stream });
        return;
      }
      const moved = await toItem(value);
      if (this.#open.has(stream)) this.#sendItem(stream, moved);
      else closeMoved(moved.transfer);
    } catch (error) {
      if (!this.#open.delete(stream)) return;
      this.#faults.set(stream, error);
      this.#post({ type: 'end', stream, error: toWireError(error) });
    }
  }

  #sendItem(stream: number, { value, transfer, instead }: Moved<unknown>): void {
    try {
      this.#post({ type: 'item', stream, value }, transfer);
    } catch (cause) {
      closeMoved(transfer);
      const error = notSent(cause);
      if (instead === undefined) throw error;
      this.#post({ type: 'item', stream, value: instead(error) });
    }
  }
}
