/** One worker from its start to its end: the messages, and every way of noticing that it is gone. */

import type { BackboneIdentity } from '@imprint/core';
import { ImprintError } from '@imprint/core';
import { notSent } from './check-arguments.ts';
import {
  PROTOCOL_VERSION,
  type FromWorker,
  type JournalEntry,
  type ToWorker,
  type WireState,
  type WorkerOptions,
} from './protocol.ts';
import { fromWireError } from './wire-error.ts';

export interface ConnectionEvents {
  onMessage(message: FromWorker): void;
  /** The worker has ended without being asked to; told once. */
  onGone(why: string): void;
}

export interface Opened {
  readonly connection: WorkerConnection;
  readonly identity: BackboneIdentity;
  readonly state: WireState;
}

/** For the script to load and to say so; it needs nothing else for that. */
const HELLO_SECONDS = 30;

export class WorkerConnection {
  readonly #worker: Worker;
  readonly #events: ConnectionEvents;
  readonly #watch = new AbortController();
  #open: { resolve: (opened: Omit<Opened, 'connection'>) => void; reject: (error: Error) => void } | undefined;
  #saidHello = false;
  #ended = false;

  private constructor(worker: Worker, events: ConnectionEvents) {
    this.#worker = worker;
    this.#events = events;
    worker.addEventListener('message', (event: MessageEvent<FromWorker>) => this.#receive(event.data));
    worker.addEventListener('messageerror', () => this.#gone('a message could not be read'));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#gone(event.message || 'its script could not be loaded');
    });
  }

  /**
   * Starts a worker and opens the classifier in it.
   * @throws what opening throws; FILE_UNREADABLE where the script does not load; the signal's reason
   */
  static async open(
    start: () => Worker,
    options: WorkerOptions,
    journal: readonly JournalEntry[],
    events: ConnectionEvents,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    signal?.throwIfAborted();
    const connection = new WorkerConnection(start(), events);
    const opened = new Promise<Omit<Opened, 'connection'>>((resolve, reject) => {
      connection.#open = { resolve, reject };
    });
    connection.#onHello = () => {
      try {
        connection.post({ type: 'open', options, journal });
      } catch (cause) {
        connection.#open?.reject(notSent(cause));
      }
    };
    // In ticks: a page that is busy or asleep uses up none.
    let ticks = 0;
    const clock = setInterval(() => {
      if (!connection.#saidHello && ++ticks === HELLO_SECONDS) connection.#gone(`nothing within ${HELLO_SECONDS} s`);
    }, 1000);
    const onAbort = () => connection.#open?.reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return { connection, ...(await opened) };
    } catch (error) {
      connection.terminate();
      throw error;
    } finally {
      connection.#open = undefined;
      clearInterval(clock);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #onHello: () => void = () => undefined;

  post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Ends the worker at once. Idempotent. */
  terminate(): void {
    this.#ended = true;
    this.#watch.abort();
    this.#worker.terminate();
  }

  #receive(message: FromWorker): void {
    if (this.#ended) return;
    switch (message.type) {
      case 'hello':
        this.#saidHello = true;
        if (message.version !== PROTOCOL_VERSION) this.#open?.reject(wrongVersion(message.version));
        else this.#onHello();
        if (message.lock !== undefined) void this.#watchLock(message.lock);
        break;
      case 'opened':
        this.#open?.resolve({ identity: message.identity, state: message.state });
        break;
      case 'openFailed':
        this.#open?.reject(fromWireError(message.error));
        break;
      case 'broken':
        this.#gone(message.error.message);
        break;
      default:
        this.#events.onMessage(message);
    }
  }

  /** The worker holds this lock while it lives: to get it is to know that the worker is gone, however it went. */
  async #watchLock(name: string): Promise<void> {
    try {
      await navigator.locks.request(name, { signal: this.#watch.signal }, () => undefined);
      this.#gone('it was ended from outside, or ran out of memory');
    } catch {
      // The wait was ended: by terminate.
    }
  }

  #gone(why: string): void {
    if (this.#ended) return;
    this.terminate();
    if (this.#open !== undefined) this.#open.reject(this.#saidHello ? stoppedError(why) : notLoaded(why));
    else this.#events.onGone(why);
  }
}

/** What a call gets whose worker ended. */
export function stoppedError(why: string): ImprintError {
  return new ImprintError(
    'DEVICE_UNAVAILABLE',
    `Expected the classifier's worker to keep running, it stopped: ${why}. Nothing that was learned is lost; call again.`,
  );
}

function notLoaded(why: string): ImprintError {
  // A package in a folder above the app's is out of reach from where Vite's development server moves our modules.
  const inVite = String(import.meta.url).includes('/node_modules/.vite/');
  const next = inVite
    ? "In Vite's configuration set `optimizeDeps: { exclude: ['@imprint/web'] }`."
    : 'Check that its address serves JavaScript and that worker-src allows it; with esbuild or Bun copy it by `npx imprint-web-assets DIR`, or pass `workerUrl`.';
  return new ImprintError('FILE_UNREADABLE', `Expected the worker's script to load, got: ${why}. ${next}`);
}

function wrongVersion(version: unknown): ImprintError {
  return new ImprintError(
    'UNSUPPORTED',
    `Expected a worker script of this release (protocol ${PROTOCOL_VERSION}), got ${String(version)}. Copy the assets again by \`npx imprint-web-assets DIR\`, and clear caches that keep old ones.`,
  );
}
