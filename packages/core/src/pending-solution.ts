/** One solve and all who wait for it. An abort ends its caller's wait at once; when nobody waits any more, the solve stops. */

import type { FitContext } from './head.ts';
import type { AbortSignalLike } from './platform.ts';
import type { Solution } from './solution.ts';

interface Waiter {
  readonly signal: AbortSignalLike | undefined;
  readonly leave: () => void;
}

export class PendingSolution {
  /** The solution, once there is one. */
  solved: Solution | undefined;
  readonly #solution: Promise<Solution>;
  readonly #waiting = new Set<Waiter>();
  readonly #held = new Set<object>();
  #state: 'running' | 'solved' | 'stopped' = 'running';
  #reason: unknown;

  /** Starts `solve` at once, with a signal of its own: call `wait` or `hold` in the same turn. */
  constructor(context: FitContext, solve: (context: FitContext) => Promise<Solution>) {
    const throwIfAborted = (): void => {
      if (this.#isDeserted()) throw this.#reason;
    };
    const isDeserted = (): boolean => this.#isDeserted();
    const reasonOf = (): unknown => this.#reason;
    const signal: AbortSignalLike = {
      get aborted() {
        return isDeserted();
      },
      get reason() {
        return reasonOf();
      },
      throwIfAborted,
    };
    const { yieldToHost } = context;
    const turn = async (): Promise<void> => {
      await yieldToHost?.();
      throwIfAborted();
    };
    // Not before the first caller waits.
    this.#solution = Promise.resolve().then(() =>
      solve({ ...context, signal, ...(yieldToHost && { yieldToHost: turn }) }),
    );
    this.#solution.then(
      (solution) => {
        this.#state = 'solved';
        this.solved = solution;
      },
      () => (this.#state = 'stopped'),
    );
  }

  /** Whether it ended without a solution: the next caller needs another. */
  get stopped(): boolean {
    return this.#state === 'stopped';
  }

  /**
   * Keeps it running for a caller whose input is still on its way, until the function that it returns is called.
   * A change of the content ends that as well: see `release`.
   */
  hold(): () => void {
    const held = {};
    this.#held.add(held);
    return () => this.#held.delete(held);
  }

  /** Lets go for all who hold it: what it solves is out of date, and only who waits already gets it. */
  release(): void {
    this.#held.clear();
  }

  /** @throws the signal's reason, as soon as it aborts; what the solve throws */
  async wait(signal: AbortSignalLike | undefined): Promise<Solution> {
    signal?.throwIfAborted();
    if (this.#state === 'solved') return this.#solution;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        signal?.removeEventListener?.('abort', leave);
        if (!this.#waiting.delete(waiter)) return;
        this.#reason = signal?.reason;
        reject(signal?.reason as Error);
      };
      const waiter = { signal, leave };
      this.#waiting.add(waiter);
      signal?.addEventListener?.('abort', leave);
      const settle = (how: () => void): void => {
        if (signal?.aborted) leave();
        signal?.removeEventListener?.('abort', leave);
        if (this.#waiting.delete(waiter)) how();
      };
      this.#solution.then(
        (solution) => settle(() => resolve(solution)),
        (error: unknown) => settle(() => reject(error as Error)),
      );
    });
  }

  #isDeserted(): boolean {
    if (this.#state === 'solved') return false;
    for (const { signal, leave } of this.#waiting) if (signal?.aborted) leave();
    if (this.#waiting.size + this.#held.size === 0) this.#state = 'stopped';
    return this.#state === 'stopped';
  }
}
