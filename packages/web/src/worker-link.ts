/** Calls into the worker that outlive it: where one ends, another is started with all that was learned. */

import type { BackboneIdentity } from '@imprint/core';
import { ImprintError } from '@imprint/core';
import { notSent } from './check-arguments.ts';
import { closeMoved } from './image-transfer.ts';
import { Journal } from './journal.ts';
import { PageIterables, type ItemOf } from './page-iterables.ts';
import type { FromWorker, Verb, WireState, WorkerOptions } from './protocol.ts';
import type { Notice } from './web-classifier.ts';
import { fromWireError } from './wire-error.ts';
import { stoppedError, WorkerConnection } from './worker-connection.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: Transferable[];
  /** Streams that the worker reads for this call. */
  readonly streams?: readonly number[];
  /** The call may be sent again to a new worker: it changes nothing, and its arguments are still here. */
  readonly repeatable?: boolean;
  readonly onEvent?: (event: 'progress' | 'unreadable', value: unknown) => void;
  readonly onYield?: (value: unknown) => void;
}

interface Pending extends CallOptions {
  readonly verb: Verb;
  readonly args: readonly unknown[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly unlisten: () => void;
  repeated: boolean;
}

export interface LinkEvents {
  onState(state: WireState): void;
  onNotice(notice: Notice): void;
  /** Everything that was answered is in the store. */
  onSaved(): void;
}

/** Workers that may end without one call having been answered in between, before no more are started. */
const MAX_RESTARTS = 3;

export class WorkerLink {
  identity!: BackboneIdentity;
  readonly #start: () => Worker;
  readonly #options: WorkerOptions;
  readonly #events: LinkEvents;
  readonly #journal = new Journal();
  readonly #iterables = new PageIterables((message, transfer) => this.#connection?.post(message, transfer));
  readonly #pending = new Map<number, Pending>();
  #connection: WorkerConnection | undefined;
  #nextCall = 0;
  #restarts = 0;
  #compacting = false;
  /** What another tab stored must not be written over: with a store, changes are remembered one by one. */
  #canCompact = true;
  #closedBy: Error | undefined;

  private constructor(start: () => Worker, options: WorkerOptions, events: LinkEvents) {
    this.#start = start;
    this.#options = options;
    this.#events = events;
  }

  /** @throws what opening throws, or the signal's reason */
  static async open(
    start: () => Worker,
    options: WorkerOptions,
    events: LinkEvents,
    signal: AbortSignal | undefined,
  ): Promise<WorkerLink> {
    const link = new WorkerLink(start, options, events);
    await link.#connect(signal);
    return link;
  }

  /** Lets the worker read `items`; give the number as an argument of a call, and in its `streams`. */
  stream<T>(items: Iterable<T> | AsyncIterable<T>, toItem: ItemOf<T>): number {
    return this.#iterables.add(items, toItem);
  }

  /** @throws what the verb throws; the signal's reason; DEVICE_UNAVAILABLE where the worker ends meanwhile; DISPOSED */
  call(verb: Verb, args: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (this.#closedBy !== undefined || signal?.aborted) {
        for (const stream of options.streams ?? []) this.#iterables.stop(stream);
        closeMoved(options.transfer ?? []);
        reject(this.#closedBy ?? signal?.reason);
        return;
      }
      const call = this.#nextCall++;
      const onAbort = () => this.#connection?.post({ type: 'abort', call });
      signal?.addEventListener('abort', onAbort, { once: true });
      const unlisten = () => signal?.removeEventListener('abort', onAbort);
      this.#pending.set(call, { ...options, verb, args, resolve, reject, unlisten, repeated: false });
      // Without a connection a new worker is starting, which is given all calls that wait.
      if (this.#connection !== undefined) this.#send(call);
    });
  }

  /** The consumer of the newest call of that number wants one more value. */
  next(call: number): void {
    this.#connection?.post({ type: 'next', call });
  }

  /** Ends a call whose consumer has left. */
  abort(call: number): void {
    this.#connection?.post({ type: 'abort', call });
  }

  /** The number that the next call will have. */
  get nextCall(): number {
    return this.#nextCall;
  }

  /** Ends the worker; calls under way fail with `reason`. Idempotent. */
  close(reason: Error): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = reason;
    this.#connection?.terminate();
    this.#connection = undefined;
    for (const call of [...this.#pending.keys()]) this.#settle(call, (pending) => pending.reject(reason));
  }

  async #connect(signal?: AbortSignal): Promise<void> {
    const events = {
      onMessage: (message: FromWorker) => this.#receive(message),
      onGone: (why: string) => void this.#restart(why),
    };
    const opened = await WorkerConnection.open(this.#start, this.#options, this.#journal.entries, events, signal);
    if (this.#closedBy !== undefined) {
      opened.connection.terminate();
      throw this.#closedBy;
    }
    this.#connection = opened.connection;
    this.identity = opened.identity;
    this.#canCompact = opened.state.storage === 'memory';
    this.#events.onState(opened.state);
  }

  async #restart(why: string): Promise<void> {
    this.#connection = undefined;
    this.#compacting = false;
    for (const [call, pending] of this.#pending) {
      if (pending.repeatable && !pending.repeated) pending.repeated = true;
      else this.#settle(call, ({ reject }) => reject(stoppedError(why)));
    }
    if (++this.#restarts > MAX_RESTARTS) {
      this.close(stoppedForGood(why));
      return;
    }
    try {
      await this.#connect();
    } catch (error) {
      this.close(error as Error);
      const message = `The classifier's worker stopped (${why}) and no other could be started: ${(error as Error).message}`;
      this.#events.onNotice({ kind: 'worker', message });
      return;
    }
    this.#events.onNotice({
      kind: 'worker',
      message: `The classifier's worker stopped (${why}). Another has taken over; nothing that was learned is lost.`,
    });
    for (const call of this.#pending.keys()) this.#send(call);
  }

  #send(call: number): void {
    const { verb, args, transfer = [], signal, repeated } = this.#pending.get(call)!;
    if (signal?.aborted) {
      this.#settle(call, ({ reject }) => reject(signal.reason));
      return;
    }
    try {
      this.#connection!.post({ type: 'call', call, verb, args }, repeated ? [] : transfer);
    } catch (cause) {
      this.#settle(call, ({ reject }) => reject(notSent(cause)));
    }
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'reply':
        this.#restarts = 0;
        if (message.journal !== undefined) this.#journal.add(message.journal);
        if (message.state !== undefined) this.#events.onState(message.state);
        this.#settle(message.call, ({ resolve }) => resolve(message.value));
        void this.#compact();
        break;
      case 'failed':
        // An abort is told with the caller's own reason, and so is what the caller's iterable threw.
        this.#settle(message.call, ({ reject, signal, streams = [] }) => {
          const fault = this.#iterables.takeFault(streams);
          reject(signal?.aborted ? signal.reason : fault === undefined ? fromWireError(message.error) : fault.error);
        });
        break;
      case 'yield':
        this.#pending.get(message.call)?.onYield?.(message.value);
        break;
      case 'event':
        this.#pending.get(message.call)?.onEvent?.(message.event, message.value);
        break;
      case 'pull':
        void this.#iterables.pull(message.stream);
        break;
      case 'stop':
        this.#iterables.stop(message.stream);
        break;
      case 'saved':
        this.#journal.clear();
        this.#events.onSaved();
        break;
      case 'state':
        this.#events.onState(message.state);
        break;
      case 'notice':
        this.#events.onNotice(message.notice);
        break;
    }
  }

  #settle(call: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(call);
    if (pending === undefined) return;
    this.#pending.delete(call);
    pending.unlisten();
    for (const stream of pending.streams ?? []) this.#iterables.stop(stream);
    closeMoved(pending.transfer ?? []);
    how(pending);
  }

  async #compact(): Promise<void> {
    if (this.#compacting || !this.#canCompact || !this.#journal.isLong || this.#closedBy !== undefined) return;
    this.#compacting = true;
    try {
      await this.call('whole', []);
    } catch {
      // The journal stays long; the next change tries again.
    } finally {
      this.#compacting = false;
    }
  }
}

function stoppedForGood(why: string): ImprintError {
  return new ImprintError(
    'DEVICE_UNAVAILABLE',
    `Expected the classifier's worker to keep running, it stopped ${MAX_RESTARTS + 1} times: ${why}. Use fewer numThreads, smaller pictures or a smaller model, and make a new classifier.`,
  );
}
