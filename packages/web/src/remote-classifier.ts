/** The page's side of a classifier: every verb is a call into the worker, and nothing is computed here. */

import { expected, ImprintError, requireIterable, requireOptions } from '@imprint/core';
import type {
  AbortSignalLike,
  AddOptions,
  AddReport,
  BackboneIdentity,
  Classified,
  ClassifyOptions,
  EvaluateOptions,
  EvaluationResult,
  HeadReport,
  LabelledInput,
  MemoryMode,
  Prediction,
  ReviewReport,
  SuggestedInput,
  Unreadable,
} from '@imprint/core';
import { requireFunction } from './check-arguments.ts';
import { asyncDispose } from './dispose-symbols.ts';
import { closeMoved, isBlob, isBytes, toWireImage, toWireInput, type Moved } from './image-transfer.ts';
import type { Verb, WireState } from './protocol.ts';
import { watchVideo } from './watch.ts';
import type {
  DeviceReport,
  ImageInput,
  Notice,
  StorageReport,
  Watched,
  WatchOptions,
  WebClassifier,
} from './web-classifier.ts';
import { fromWireError, type WireError } from './wire-error.ts';
import type { CallOptions, LinkEvents, WorkerLink } from './worker-link.ts';

type Many<T> = Iterable<T> | AsyncIterable<T>;

/** State and listeners: there before the worker is, so that nothing it says is lost. */
export class RemoteState implements LinkEvents {
  state: WireState | undefined;
  readonly changeListeners = new Set<() => void>();
  readonly noticeListeners = new Set<(notice: Notice) => void>();
  #hasSaved = false;
  #asked = false;

  /** Asks the browser, once, to keep the storage: when there is something in it, as some browsers ask the person. */
  #persist(): void {
    if (this.#asked) return;
    this.#asked = true;
    const { storage } = navigator as { storage?: StorageManager };
    storage?.persist?.().catch(() => undefined);
  }

  onState(state: WireState): void {
    const before = this.state;
    this.state = state;
    if (this.#hasSaved && state.classes.length > 0) this.#persist();
    if (before !== undefined && JSON.stringify(before.classes) === JSON.stringify(state.classes)) return;
    for (const listener of this.changeListeners) tell(listener, undefined);
  }

  onSaved(): void {
    this.#hasSaved = true;
  }

  onNotice(notice: Notice): void {
    for (const listener of this.noticeListeners) tell(listener, notice);
  }
}

/** A listener's own error is the page's to see, and no other listener's loss. */
function tell<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    reportError(error);
  }
}

export class RemoteClassifier<Label extends string = string> implements WebClassifier<Label> {
  readonly #link: WorkerLink;
  readonly #remote: RemoteState;
  readonly #disposed = new AbortController();

  constructor(link: WorkerLink, remote: RemoteState) {
    this.#link = link;
    this.#remote = remote;
  }

  get #state(): WireState {
    return this.#remote.state!;
  }

  get identity(): BackboneIdentity {
    return this.#link.identity;
  }

  get head(): string {
    return this.#state.head;
  }

  get unknownBelow(): number {
    return this.#state.unknownBelow;
  }

  get memory(): MemoryMode {
    return this.#state.memory;
  }

  get classes(): readonly { readonly label: Label; readonly count: number }[] {
    return this.#state.classes as readonly { label: Label; count: number }[];
  }

  get numExamples(): number {
    return this.#state.numExamples;
  }

  get device(): DeviceReport {
    return this.#state.device;
  }

  addClass(label: Label, examples: Many<ImageInput>, options: AddOptions = {}): Promise<AddReport> {
    return this.#add('addClass', label, examples, options) as Promise<AddReport>;
  }

  addExamples(label: Label, examples: Many<ImageInput>, options: AddOptions = {}): Promise<AddReport> {
    return this.#add('addExamples', label, examples, options) as Promise<AddReport>;
  }

  async addExample(label: Label, image: ImageInput): Promise<AddReport> {
    const { value, transfer } = await toWireImage(image);
    return (await this.#call('addExample', [label, value], { transfer })) as AddReport;
  }

  async removeClass(label: Label): Promise<void> {
    await this.#call('removeClass', [label]);
  }

  async removeExamples(label: Label, ids: readonly string[]): Promise<void> {
    await this.#call('removeExamples', [label, ids]);
  }

  async moveExamples(from: Label, into: Label, ids: readonly string[]): Promise<void> {
    await this.#call('moveExamples', [from, into, ids]);
  }

  async forgetExamples(label: Label, examples: Many<ImageInput>, options: AddOptions = {}): Promise<void> {
    await this.#add('forgetExamples', label, examples, options);
  }

  async renameClass(from: Label, to: Label): Promise<void> {
    await this.#call('renameClass', [from, to]);
  }

  async mergeClasses(from: Label, into: Label): Promise<void> {
    await this.#call('mergeClasses', [from, into]);
  }

  async examples(label: Label): Promise<readonly { readonly id: string; readonly source: string | undefined }[]> {
    return (await this.#ask('examples', [label])) as { id: string; source: string | undefined }[];
  }

  async classify(input: ImageInput, options: ClassifyOptions = {}): Promise<Prediction<Label>> {
    const { signal, rest } = withoutSignal(options);
    const { value, transfer } = await orAborted(toWireImage(input), signal);
    // What was moved is gone with the worker; what was copied can be sent again.
    const repeatable = transfer.length === 0;
    return (await this.#call('classify', [value, rest], { signal, transfer, repeatable })) as Prediction<Label>;
  }

  async *classifyMany(
    inputs: Many<ImageInput>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classified<Label>, void, undefined> {
    const { signal, rest } = withoutSignal(options);
    const stream = this.#link.stream(requireIterable(inputs, 'inputs'), toWireInput);
    const arrived: Classified<Label>[] = [];
    let wake: () => void = () => undefined;
    let ended = false;
    const onYield = (value: unknown) => {
      arrived.push(readable(value as Classified<Label>));
      wake();
    };
    const call = this.#link.nextCall;
    const end = this.#link.call('classifyMany', [stream, rest], { signal, streams: [stream], onYield }).finally(() => {
      ended = true;
      wake();
    });
    end.catch(() => undefined);
    try {
      for (;;) {
        this.#link.next(call);
        while (arrived.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
        const result = arrived.shift();
        if (result === undefined) break;
        yield result;
      }
      await end;
    } finally {
      if (!ended) this.#link.abort(call);
    }
  }

  watch(video: HTMLVideoElement, options: WatchOptions = {}): AsyncGenerator<Watched<Label>, void, undefined> {
    return watchVideo(this, video, requireOptions(options), this.#disposed.signal);
  }

  async evaluate(
    examples: Many<LabelledInput<ImageInput, Label>>,
    options: EvaluateOptions<ImageInput> = {},
  ): Promise<EvaluationResult> {
    const { signal, onProgress, onUnreadable, unknown } = requireOptions(options);
    requireFunction(onProgress, 'onProgress');
    requireFunction(onUnreadable, 'onUnreadable');
    const stream = this.#link.stream(requireIterable(examples, 'examples'), async (example) => {
      const { label, input } = (example as typeof example | null | undefined) ?? ({} as typeof example);
      const { value, transfer, instead } = await toWireInput(input);
      return { value: { label, input: value }, transfer, instead: (error) => ({ label, input: instead?.(error) }) };
    });
    const streams = [stream];
    if (unknown !== undefined) streams.push(this.#link.stream(requireIterable(unknown, 'unknown'), toWireInput));
    const wire = { ...(streams.length > 1 && { unknown: streams[1] }), reportUnreadable: onUnreadable !== undefined };
    return (await this.#call('evaluate', [stream, wire], {
      signal: signal as AbortSignal | undefined,
      streams,
      onEvent: (event, value) => {
        if (event === 'progress') onProgress?.(value as { done: number });
        else onUnreadable?.(readable(value as Unreadable));
      },
    })) as EvaluationResult;
  }

  async review(
    options: { readonly most?: number; readonly signal?: AbortSignalLike } = {},
  ): Promise<ReviewReport<Label>> {
    const { signal, rest } = withoutSignal(options);
    return (await this.#ask('review', [rest], signal)) as ReviewReport<Label>;
  }

  async suggest(
    pool: Many<ImageInput>,
    options: { readonly count?: number; readonly signal?: AbortSignalLike } = {},
  ): Promise<SuggestedInput[]> {
    const { signal, rest } = withoutSignal(options);
    const stream = this.#link.stream(requireIterable(pool, 'pool'), toWireInput);
    return (await this.#call('suggest', [stream, rest], { signal, streams: [stream] })) as SuggestedInput[];
  }

  async report(options: { readonly signal?: AbortSignalLike } = {}): Promise<HeadReport> {
    return (await this.#ask('report', [], withoutSignal(options).signal)) as HeadReport;
  }

  async snapshot(): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#ask('snapshot', [])) as Uint8Array<ArrayBuffer>;
  }

  async hash(): Promise<string> {
    return (await this.#ask('hash', [])) as string;
  }

  async export(): Promise<Blob> {
    return new Blob([await this.snapshot()], { type: 'application/octet-stream' });
  }

  async import(
    file: Blob | ArrayBuffer | Uint8Array,
    { merge = false }: { readonly merge?: boolean } = {},
  ): Promise<void> {
    const isFile = isBlob(file) || isBytes(file);
    if (!isFile) throw expected('file', 'a Blob, an ArrayBuffer or a Uint8Array', file, 'Fetch or open it first.');
    const bytes = isBlob(file) ? new Uint8Array(await file.arrayBuffer()) : copyOf(file);
    await this.#call('import', [bytes, merge]);
  }

  async storage(): Promise<StorageReport> {
    return (await this.#ask('storage', [])) as StorageReport;
  }

  async flush(): Promise<void> {
    await this.#ask('flush', []);
  }

  onChange(listener: () => void): () => void {
    requireFunction(listener, 'listener');
    this.#remote.changeListeners.add(listener);
    return () => this.#remote.changeListeners.delete(listener);
  }

  onNotice(listener: (notice: Notice) => void): () => void {
    requireFunction(listener, 'listener');
    this.#remote.noticeListeners.add(listener);
    return () => this.#remote.noticeListeners.delete(listener);
  }

  dispose(): Promise<void> {
    const message = 'Expected a classifier in use, got one that was disposed. Make a new one.';
    const reason = new ImprintError('DISPOSED', message);
    this.#link.close(reason);
    this.#disposed.abort(reason);
    return Promise.resolve();
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #add(
    verb: 'addClass' | 'addExamples' | 'forgetExamples',
    label: Label,
    examples: Many<ImageInput>,
    options: AddOptions,
  ): Promise<unknown> {
    const { signal, onProgress, onUnreadable } = requireOptions(options);
    requireFunction(onProgress, 'onProgress');
    const stream = this.#link.stream(requireIterable(examples, 'examples'), toWireInput);
    const rest = onUnreadable === undefined ? {} : { onUnreadable };
    const value = await this.#call(verb, [label, stream, rest], {
      signal: signal as AbortSignal | undefined,
      streams: [stream],
      onEvent: (_, progress) => onProgress?.(progress as { done: number }),
    });
    if (value === undefined) return undefined;
    const report = value as AddReport;
    return { ...report, unreadable: report.unreadable.map(readable) };
  }

  #call(verb: Verb, args: readonly unknown[], options?: CallOptions): Promise<unknown> {
    return this.#link.call(verb, args, options);
  }

  /** A call that changes nothing: after a crash it is asked again. */
  #ask(verb: Verb, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    return this.#link.call(verb, args, { signal, repeatable: true });
  }
}

/** An error that came as a plain object becomes one again. */
function readable<T extends object>(item: T): T {
  return 'error' in item ? { ...item, error: fromWireError(item.error as WireError) } : item;
}

/** What `moved` gives, or the signal's reason: pictures can take long to load. */
async function orAborted<T>(moved: Promise<Moved<T>>, signal: AbortSignal | undefined): Promise<Moved<T>> {
  if (signal === undefined) return moved;
  const over = new AbortController();
  try {
    return await Promise.race([
      moved,
      new Promise<never>((_, reject) => {
        const abort = () => reject(signal.reason as Error);
        if (signal.aborted) abort();
        else signal.addEventListener('abort', abort, { signal: over.signal });
      }),
    ]);
  } catch (error) {
    moved.then(
      ({ transfer }) => closeMoved(transfer),
      () => undefined,
    );
    throw error;
  } finally {
    over.abort();
  }
}

function copyOf(file: ArrayBuffer | Uint8Array): Uint8Array {
  try {
    return new Uint8Array(file);
  } catch {
    throw expected('file', 'bytes that are still here', file, 'They were moved to another thread: pass a copy.');
  }
}

function withoutSignal<Options extends { readonly signal?: AbortSignalLike }>(
  options: Options,
): { signal: AbortSignal | undefined; rest: Omit<Options, 'signal'> } {
  const { signal, ...rest } = requireOptions(options);
  return { signal: signal as AbortSignal | undefined, rest };
}
