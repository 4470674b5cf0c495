/** Calls into a worker thread: promises by number, errors that keep their code, and no thread that keeps the process alive. */

import { parentPort, Worker, workerData, type TransferListItem } from 'node:worker_threads';
import { ImprintError, type ImprintErrorCode } from '@imprint/core';
import { joinGate, NativeGate } from './native-gate.ts';
import { refuseTelemetry } from './native-modules.ts';

interface CallMessage<Request> {
  readonly call: number;
  readonly request: Request;
}

type ReplyMessage<Reply> =
  | { readonly call: number; readonly reply: Reply }
  | { readonly call: number; readonly code: ImprintErrorCode | undefined; readonly message: string };

/** Asks the thread to end by itself, between two native calls. */
const END = 'end';

interface Waiting<Reply> {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** One worker thread and the calls that wait for it. After a crash it is closed for good: make a new one. */
export class WorkerCalls<Request, Reply> {
  readonly #worker: Worker;
  readonly #what: string;
  readonly #waiting = new Map<number, Waiting<Reply>>();
  readonly #gate = new NativeGate();
  readonly #ended: Promise<void>;
  #nextCall = 0;
  #closedBy: Error | undefined;

  /**
   * @param path of the thread's module
   * @param what the thread's task in messages: `the backbone's worker`
   */
  constructor(path: string, what: string) {
    this.#what = what;
    // Not this process's own flags: `node --input-type=module -e ...` would keep the thread from starting.
    refuseTelemetry();
    this.#worker = new Worker(path, { name: what, execArgv: [], workerData: this.#gate.memory });
    this.#worker.on('message', (message: ReplyMessage<Reply>) => this.#settle(message));
    this.#worker.on('error', (error) => this.#close(this.#crashed(error.message, error)));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#gate.ended();
        this.#close(this.#crashed(`exit code ${code}`));
        resolve();
      });
    });
    // Last: whoever listens for messages makes Node hold the process for the thread again.
    this.#worker.unref();
  }

  /** True once the thread has ended; every call fails from then on. */
  get closed(): boolean {
    return this.#closedBy !== undefined;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  /** Sends `request`, moving the buffers in `transfer`; the process stays alive until the answer is there. */
  call(request: Request, transfer: readonly TransferListItem[] = []): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy) {
        reject(this.#closedBy);
        return;
      }
      const call = this.#nextCall++;
      this.#waiting.set(call, { resolve, reject });
      if (this.#waiting.size === 1) this.#worker.ref();
      this.#worker.postMessage({ call, request } satisfies CallMessage<Request>, transfer);
    });
  }

  /** Calls under way fail with `reason` at once; the promise settles when the thread has ended, after a native call at most. */
  async terminate(reason: Error): Promise<void> {
    this.#close(reason);
    this.#gate.close();
    this.#worker.ref();
    this.#worker.postMessage(END);
    await this.#ended;
  }

  #settle(message: ReplyMessage<Reply>): void {
    const waiting = this.#waiting.get(message.call);
    if (!waiting) return;
    this.#waiting.delete(message.call);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('reply' in message) waiting.resolve(message.reply);
    else waiting.reject(message.code ? new ImprintError(message.code, message.message) : new Error(message.message));
  }

  #close(reason: Error): void {
    if (this.#closedBy) return;
    this.#closedBy = reason;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    this.#worker.unref();
  }

  #crashed(how: string, cause?: Error): ImprintError {
    if (how.includes('uv_cwd')) {
      const found = 'got one that no longer exists or cannot be read, and Node starts no thread in it';
      const message = `Expected a current folder for ${this.#what}, ${found}. Change to another folder, then start again.`;
      return new ImprintError('FILE_UNREADABLE', message, { cause });
    }
    const next = 'The next call starts a new one; if it ends too, lower sessions, batchSize or maxPixels.';
    const message = `Expected ${this.#what} to keep running, it stopped with ${how}. ${next}`;
    return new ImprintError('DEVICE_UNAVAILABLE', message, cause && { cause });
  }
}

/** The worker's side: answers each request with what `handle` returns, moving the buffers that `transfers` names. */
export function answerCalls<Request, Reply>(
  handle: (request: Request) => Promise<Reply>,
  transfers: (reply: Reply) => TransferListItem[],
): void {
  const port = parentPort;
  if (port === null) throw new ImprintError('UNSUPPORTED', 'Expected to run in a worker thread, got the main thread.');
  joinGate(workerData as SharedArrayBuffer);
  port.on('message', (message: CallMessage<Request> | typeof END) => {
    if (message === END) process.exit();
    const { call, request } = message;
    handle(request).then(
      (reply) => port.postMessage({ call, reply } satisfies ReplyMessage<Reply>, transfers(reply)),
      (error: unknown) => {
        const code = error instanceof ImprintError ? error.code : undefined;
        const message = error instanceof Error ? error.message : String(error);
        port.postMessage({ call, code, message } satisfies ReplyMessage<Reply>);
      },
    );
  });
}
