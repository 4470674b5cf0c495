/** The worker's side of the conversation: opens the classifier, answers calls, and holds nothing that the page cannot rebuild. */

import type {
  AbortSignalLike,
  AddOptions,
  AddReport,
  ClassifyOptions,
  EvaluateOptions,
  LabelledInput,
} from '@imprint/core';
import { ImprintError, loadSeldom } from '@imprint/core';
import { PROTOCOL_VERSION } from '../protocol.ts';
import type { FromWorker, JournalEntry, ToWorker, Verb, WireInput, WorkerOptions } from '../protocol.ts';
import { toWireError } from '../wire-error.ts';
import { ClassifierHost, type Change } from './classifier-host.ts';
import { help } from './helpers.ts';
import { letGo } from './open-image.ts';
import { PageStreams } from './page-streams.ts';
import { placeSeldomScript } from './seldom-script.ts';
import { WebBackbone } from './web-backbone.ts';

/** What of a worker's global scope is used here. */
export interface WorkerScope {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void;
  close(): void;
}

/** A call under way. */
interface Call {
  readonly abort: AbortController;
  /** Values that its consumer has asked for and not got. */
  wanted: number;
  /** Ends the call's wait for its consumer. */
  resume?: () => void;
}

/** What a verb needs to know of its call. */
interface Running {
  readonly call: number;
  readonly signal: AbortSignal;
}

/** Long enough for a first answer. */
const SELDOM_AFTER_MS = 2000;

export class Server {
  readonly #scope: WorkerScope;
  readonly #streams: PageStreams;
  readonly #calls = new Map<number, Call>();
  #backbone: WebBackbone | undefined;
  #host: ClassifierHost | undefined;

  constructor(scope: WorkerScope) {
    this.#scope = scope;
    this.#streams = new PageStreams((message) => scope.postMessage(message));
    scope.addEventListener('message', ({ data }) => this.#receive(data));
  }

  /** Says that the script has loaded; first takes the lock whose release tells the page that this worker is gone. */
  async hello(): Promise<void> {
    const lock = await holdLock();
    this.#scope.postMessage({ type: 'hello', version: PROTOCOL_VERSION, lock });
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'open':
        void this.#open(message.options, message.journal);
        break;
      case 'call':
        void this.#answer(message.call, message.verb, message.args);
        break;
      case 'next':
        this.#wantOneMore(message.call);
        break;
      case 'abort':
        this.#abort(message.call);
        break;
      case 'item':
        this.#streams.item(message.stream, message.value);
        break;
      case 'end':
        this.#streams.end(message.stream, message.error);
        break;
      case 'dispose':
        void this.#dispose();
        break;
      case 'help':
        void help(message.seldom, this.#scope);
    }
  }

  async #open(options: WorkerOptions, journal: readonly JournalEntry[]): Promise<void> {
    try {
      const { assets, device, numThreads, maxPixels } = options;
      placeSeldomScript(assets.seldom);
      const onNotice = (notice: Extract<FromWorker, { type: 'notice' }>['notice']) => {
        if (this.#host !== undefined) this.#scope.postMessage({ type: 'state', state: this.#host.state() });
        this.#scope.postMessage({ type: 'notice', notice });
      };
      const backbone = await WebBackbone.load({ assets, device, numThreads, maxPixels, onNotice });
      this.#backbone = backbone;
      const host = new ClassifierHost(backbone, options, nextTurn);
      const post = (message: FromWorker) => this.#scope.postMessage(message);
      await host.open(options.store, journal, {
        onNotice: (message) => post({ type: 'notice', notice: { kind: 'storage', message } }),
        onReplaced: () => post({ type: 'state', state: host.state() }),
        onSaved: () => post({ type: 'saved' }),
        nextTurn,
      });
      this.#host = host;
      const state = host.state();
      this.#scope.postMessage({ type: 'opened', identity: backbone.identity, state });
      // What is seldom asked for comes when there is time: a page that goes offline has all that it needs.
      setTimeout(() => loadSeldom().catch(() => undefined), SELDOM_AFTER_MS);
    } catch (error) {
      this.#scope.postMessage({ type: 'openFailed', error: toWireError(error) });
    }
  }

  #opened(): ClassifierHost {
    if (this.#host !== undefined) return this.#host;
    throw new ImprintError('DISPOSED', 'Expected an open classifier, got none. Make a new one.');
  }

  async #answer(call: number, verb: Verb, args: readonly unknown[]): Promise<void> {
    const abort = new AbortController();
    this.#calls.set(call, { abort, wanted: 0 });
    try {
      const answer = await this.#perform(verb, args, { call, signal: abort.signal });
      const change = isChange(answer) ? answer : undefined;
      const isStored = await change?.isStored;
      this.#scope.postMessage({
        type: 'reply',
        call,
        value: withWireErrors(change === undefined ? answer : change.value),
        ...(change !== undefined && { state: this.#opened().state() }),
        ...(change !== undefined && !isStored && { journal: change.journal }),
      });
    } catch (error) {
      if (isBrokenEngine(error)) this.#scope.postMessage({ type: 'broken', error: toWireError(error) });
      else this.#scope.postMessage({ type: 'failed', call, error: toWireError(error) });
    } finally {
      this.#calls.delete(call);
      args.forEach(letGo);
    }
  }

  #perform(verb: Verb, args: readonly unknown[], context: Running): unknown {
    const host = this.#opened();
    const { classifier } = host;
    const { signal } = context;
    const [first, second, third] = args as [never, never, never];
    switch (verb) {
      case 'addClass':
      case 'addExamples':
        return host.add(verb, first, this.#streams.open(second), this.#addOptions(third, context));
      case 'addExample':
        return host.addOne(first, second);
      case 'forgetExamples':
        return host.forget(first, this.#streams.open(second), this.#addOptions(third, context));
      case 'removeClass':
      case 'removeExamples':
      case 'moveExamples':
      case 'renameClass':
      case 'mergeClasses':
        return host.change(verb, args);
      case 'import':
        return host.import(first, second);
      case 'examples':
        return classifier.examples(first);
      case 'classify':
        return classifier.classify(first, { ...(second as ClassifyOptions), signal });
      case 'classifyMany':
        return this.#classifyMany(first, second, context);
      case 'evaluate':
        return this.#evaluate(first, second, context);
      case 'review':
        return classifier.review({ ...(first as object), signal });
      case 'suggest':
        return classifier.suggest(this.#streams.open(first), { ...(second as object), signal });
      case 'report':
        return classifier.report({ signal });
      case 'snapshot':
        return classifier.snapshot();
      case 'hash':
        return classifier.hash();
      case 'whole':
        return host.whole();
      case 'storage':
        return host.storage();
      case 'flush':
        return host.flush();
    }
  }

  #addOptions(options: Omit<AddOptions, 'signal' | 'onProgress'>, { call, signal }: Running): AddOptions {
    return { ...options, signal, onProgress: (value) => this.#event(call, 'progress', value) };
  }

  async #classifyMany(stream: number, options: ClassifyOptions, { call, signal }: Running): Promise<void> {
    const results = this.#opened().classifier.classifyMany(this.#streams.open<WireInput>(stream), {
      ...options,
      signal,
    });
    for await (const result of results) {
      await this.#wanted(call, signal);
      const value = 'error' in result ? { ...result, error: toWireError(result.error) } : result;
      this.#scope.postMessage({ type: 'yield', call, value });
    }
  }

  /** Resolves when the consumer has asked for one more value. @throws where the call is aborted */
  async #wanted(call: number, signal: AbortSignalLike): Promise<void> {
    const running = this.#calls.get(call);
    while (running !== undefined && running.wanted === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => (running.resume = resolve));
    }
    signal.throwIfAborted();
    if (running !== undefined) running.wanted--;
  }

  #wantOneMore(call: number): void {
    const running = this.#calls.get(call);
    if (running === undefined) return;
    running.wanted++;
    running.resume?.();
  }

  #abort(call: number): void {
    const running = this.#calls.get(call);
    running?.abort.abort();
    running?.resume?.();
  }

  #evaluate(
    stream: number,
    options: { readonly unknown?: number; readonly reportUnreadable: boolean },
    { call, signal }: Running,
  ): Promise<unknown> {
    const evaluateOptions: EvaluateOptions<WireInput> = {
      signal,
      onProgress: (value) => this.#event(call, 'progress', value),
      ...(options.unknown !== undefined && { unknown: this.#streams.open<WireInput>(options.unknown) }),
      ...(options.reportUnreadable && {
        onUnreadable: (value) => this.#event(call, 'unreadable', { ...value, error: toWireError(value.error) }),
      }),
    };
    return this.#opened().classifier.evaluate(this.#streams.open<LabelledInput<WireInput>>(stream), evaluateOptions);
  }

  #event(call: number, event: 'progress' | 'unreadable', value: unknown): void {
    this.#scope.postMessage({ type: 'event', call, event, value });
  }

  async #dispose(): Promise<void> {
    for (const { abort } of this.#calls.values()) abort.abort();
    await this.#backbone?.dispose().catch(() => undefined);
    this.#scope.close();
  }
}

function isChange(answer: unknown): answer is Change<unknown> {
  return typeof answer === 'object' && answer !== null && 'journal' in answer;
}

/** A trap inside WASM, or memory that could not grow, leaves an engine that no later run can trust. */
function isBrokenEngine(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof WebAssembly.RuntimeError || /^Aborted\(|\bbad_alloc\b/.test(cause.message)) return true;
  }
  return false;
}

/** Structured clone drops an error's code: those in an AddReport go as plain objects. */
function withWireErrors(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('unreadable' in value)) return value;
  const report = value as AddReport;
  return { ...report, unreadable: report.unreadable.map((item) => ({ ...item, error: toWireError(item.error) })) };
}

/** Holds a lock of its own for as long as the worker lives; undefined where there are no locks (pages that are not secure). */
async function holdLock(): Promise<string | undefined> {
  const { locks } = navigator as Navigator & { readonly locks?: LockManager };
  if (locks === undefined) return undefined;
  const name = `imprint-worker-${crypto.randomUUID()}`;
  await new Promise<void>((resolve, reject) => {
    locks
      .request(name, () => {
        resolve();
        return new Promise<never>(() => undefined);
      })
      .catch(reject);
  });
  return name;
}

/** A turn of the worker's event loop, without the 4 ms that nested timers wait. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
