/** Who waits for whom in the worker: pictures to be looked at wait for the changes that came before them, never the other way. */

import type { AbortSignalLike } from '@imprint/core';

/**
 * A run of the model blocks the worker, and a change takes many of its turns: a lock, a decoded picture, a file. Each would wait
 * behind a run for as long as live questions follow each other. So a change, once begun, is finished first; those that come
 * while a picture waits are not waited for, so that no picture starves either.
 */
export class Turns {
  readonly #changes = new Set<Promise<void>>();
  readonly #nextTurn: () => Promise<void>;

  /** @param nextTurn a turn of the event loop, in which messages arrive */
  constructor(nextTurn: () => Promise<void>) {
    this.#nextTurn = nextTurn;
  }

  /** From now on, and until `change` has ended either way, pictures wait for it. */
  goFirst(change: Promise<unknown>): void {
    const ended = change.then(
      () => undefined,
      () => undefined,
    );
    this.#changes.add(ended);
    void ended.then(() => this.#changes.delete(ended));
  }

  /** Between two pictures of a stream: a run of the model leaves no turn of its own, so changes and aborts would go unheard. */
  async betweenPictures(signal: AbortSignalLike | undefined): Promise<void> {
    await this.#nextTurn();
    await this.afterChanges(signal);
  }

  /** Resolves when every change that is under way at present has ended. @throws the signal's reason, as soon as it aborts */
  async afterChanges(signal: AbortSignalLike | undefined): Promise<void> {
    if (this.#changes.size === 0) return;
    let leave: () => void = () => undefined;
    const aborted = new Promise<void>((resolve) => (leave = resolve));
    signal?.addEventListener?.('abort', leave);
    await Promise.race([Promise.all(this.#changes), aborted]);
    signal?.removeEventListener?.('abort', leave);
    signal?.throwIfAborted();
  }
}
