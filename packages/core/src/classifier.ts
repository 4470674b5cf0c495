/** The facade: a classifier that learns a class from a few examples at once, and forgets nothing. */

import type { Backbone, Embedded } from './backbone.ts';
import { batchesAtHand } from './batches-at-hand.ts';
import {
  commitExamples,
  emptyContent,
  exampleMemory,
  mergeContent,
  modeOf,
  readyExamples,
  requirePossible,
  takeOutExamples,
  TURN_INPUTS,
  type Content,
  type MemoryMode,
} from './content.ts';
import type { AddOptions } from './embed-examples.ts';
import { ImprintError, describe, expected, requireIterable, requireOptions } from './errors.ts';
import type { EvaluateOptions, LabelledInput } from './evaluate-classifier.ts';
import type { EvaluationResult } from './evaluation/evaluate.ts';
import type { Gemm } from './gemm.ts';
import type { FitContext, HeadReport } from './head.ts';
import { createWasmGemm } from './linalg/wasm-gemm.ts';
import { loadSeldom } from './load-seldom.ts';
import { encodeCodes, encodeCodesInto } from './memory/codes.ts';
import { classNotFound, type ClassSummary } from './memory/class-map.ts';
import { canonicalLabel } from './memory/label.ts';
import type { AbortSignalLike } from './platform.ts';
import type { AddReport, Classified, Prediction } from './prediction.ts';
import type { ReviewReport, SuggestedInput } from './review-examples.ts';
import { contentHash, decodeSnapshot, encodeSnapshot } from './snapshot/snapshot.ts';
import { DEFAULT_UNKNOWN_BELOW } from './scores/novelty-p-value.ts';
import { requireSameBackbone } from './snapshot/identity.ts';
import { Carry } from './memory/carry.ts';
import { PendingSolution } from './pending-solution.ts';
import { checkPredictOptions, CLASSIFY_BATCH, type PredictOptions } from './predict.ts';
import { checkHead, solve, type Solution } from './solution.ts';
import type { Store } from './store.ts';

export interface ClassifierOptions {
  /** Which head answers; `auto` (the default) blends by exact leave-one-out. The names are in `HEAD_NAMES`. */
  readonly head?: string;
  /** A prediction whose novelty p-value is below this has `label: null`. From 0 (never unknown) to 1. Default 0.03. */
  readonly unknownBelow?: number;
  /** `examples` (the default) keeps every example's code; `statistics` keeps sums only: for privacy, and for millions. */
  readonly memory?: MemoryMode;
  /** Who multiplies matrices; default core's own (WebAssembly SIMD, or typed arrays). Runtimes inject ONNX Runtime's. */
  readonly gemm?: Gemm;
  /** Lets the host's event loop turn between slices of a long solve. Runtimes inject it. */
  readonly yieldToHost?: () => Promise<void>;
  /** Whether `dispose` also disposes the backbone. Default false: several classifiers can share one. */
  readonly ownsBackbone?: boolean;
}

export interface ClassifyOptions extends PredictOptions {
  readonly signal?: AbortSignalLike;
}

/** Examples x classes whose leave-one-out scores a review looks at. */
const REVIEW_ENTRIES = 2 ** 22;

/**
 * A classifier over any backbone. `Input` is what the backbone embeds, `Label` the texts that name classes.
 * All verbs are atomic: one that throws has changed nothing.
 */
export class Classifier<Input, Label extends string = string> implements AsyncDisposable {
  readonly backbone: Backbone<Input>;
  readonly head: string;
  readonly unknownBelow: number;
  readonly #context: FitContext;
  readonly #ownsBackbone: boolean;
  #content: Content;
  #pending: PendingSolution | undefined;
  #changes = 0;
  /** Int8Array, taps x dim: scratch of single queries. To allocate takes as long as to encode. */
  readonly #codes: Int8Array;
  #disposed = false;

  /** @throws INVALID_ARGUMENT for an unknown head or memory, or `unknownBelow` outside 0 to 1 */
  constructor(backbone: Backbone<Input>, options: ClassifierOptions = {}) {
    const { head = 'auto', unknownBelow = DEFAULT_UNKNOWN_BELOW, memory = 'examples' } = options;
    const { yieldToHost, gemm = createWasmGemm(yieldToHost), ownsBackbone = false } = options;
    const isShare = typeof unknownBelow === 'number' && unknownBelow >= 0 && unknownBelow <= 1;
    if (!isShare) throw expected('unknownBelow', 'a number from 0 to 1', unknownBelow);
    requireBackbone(backbone);
    this.#content = emptyContent(memory, backbone.identity.taps.length, backbone.identity.dim);
    checkHead(head, this.#content);
    this.backbone = backbone;
    this.head = head;
    this.unknownBelow = unknownBelow;
    const { sameClass } = backbone;
    this.#context = { gemm, carry: new Carry(), ...(yieldToHost && { yieldToHost }), ...(sameClass && { sameClass }) };
    this.#ownsBackbone = ownsBackbone;
    this.#codes = new Int8Array(backbone.identity.taps.length * backbone.identity.dim);
  }

  /**
   * The classifier that `bytes` hold, on the backbone it was learned with. Options given here win over the saved ones.
   * @throws INVALID_ARGUMENT, SNAPSHOT_INVALID, SNAPSHOT_VERSION, BACKBONE_MISMATCH
   */
  static restore<Input, Label extends string = string>(
    bytes: Uint8Array,
    backbone: Backbone<Input>,
    options: Omit<ClassifierOptions, 'memory'> = {},
  ): Classifier<Input, Label> {
    const { identity, content, options: saved } = decodeSnapshot(bytes);
    requireBackbone(backbone);
    requireSameBackbone(identity, backbone.identity);
    const classifier = new Classifier<Input, Label>(backbone, { ...saved, ...options, memory: modeOf(content) });
    classifier.#content = content;
    return classifier;
  }

  /** Whether examples are kept, or sums only. */
  get memory(): MemoryMode {
    return modeOf(this.#content);
  }

  /** Classes and their example counts, in canonical order (ascending by UTF-16 units). */
  get classes(): readonly (ClassSummary & { readonly label: Label })[] {
    return this.#content.classes() as (ClassSummary & { label: Label })[];
  }

  get numExamples(): number {
    return this.#content.numExamples;
  }

  /** Ids and sources of one class's examples, by id. @throws CLASS_NOT_FOUND; UNSUPPORTED in statistics mode */
  examples(label: Label): readonly { readonly id: string; readonly source: string | undefined }[] {
    const memory = exampleMemory(this.#content, 'examples', 'Counts are in classes.');
    return memory.examples(canonicalLabel(label)).map(({ id, source }) => ({ id, source }));
  }

  /**
   * Learns a new class from its examples. Nothing is trained; every other class stays exactly as it was.
   * @throws CLASS_EXISTS, NO_EXAMPLES, INVALID_LABEL; the first unreadable input's error unless `onUnreadable: 'skip'`
   */
  addClass(
    label: Label,
    examples: Iterable<Input> | AsyncIterable<Input>,
    options: AddOptions = {},
  ): Promise<AddReport> {
    return this.#add(label, examples, options, (name) => this.#requireNoClass(name));
  }

  /** Adds examples to a class. @throws CLASS_NOT_FOUND and what `addClass` throws */
  addExamples(
    label: Label,
    examples: Iterable<Input> | AsyncIterable<Input>,
    options: AddOptions = {},
  ): Promise<AddReport> {
    return this.#add(label, examples, options, (name) => this.#requireClass(name));
  }

  /**
   * Forgets a class: exactly as if it had never been added.
   * @throws CLASS_NOT_FOUND; UNSUPPORTED in statistics mode: there `forgetExamples` takes them out
   */
  removeClass(label: Label): void {
    this.#requireUsable();
    const instead = 'Pass the same inputs again to forgetExamples, which subtracts them.';
    exampleMemory(this.#content, 'removeClass', instead).removeClass(canonicalLabel(label));
    this.#changed();
  }

  /**
   * Forgets examples by id; a class left without any goes too.
   * @throws CLASS_NOT_FOUND, EXAMPLE_NOT_FOUND; UNSUPPORTED in statistics mode: there `forgetExamples` takes them out
   */
  removeExamples(label: Label, ids: readonly string[]): void {
    this.#requireUsable();
    const instead = 'Pass the same inputs again to forgetExamples, which subtracts them.';
    const memory = exampleMemory(this.#content, 'removeExamples', instead);
    memory.removeExamples(canonicalLabel(label), requireIterable(ids, 'ids'));
    this.#changed();
  }

  /**
   * Moves examples of one class into another, by id: a wrong label is set right without the picture, as if it had always been so. A
   * class left without any goes.
   * @throws CLASS_NOT_FOUND, EXAMPLE_NOT_FOUND, and then nothing has moved; UNSUPPORTED in statistics mode
   */
  moveExamples(from: Label, into: Label, ids: readonly string[]): void {
    this.#requireUsable();
    const [source, target] = [canonicalLabel(from), canonicalLabel(into)];
    if (source === target) throw expected('into', `another class than ${describe(from)}`, into);
    const memory = exampleMemory(this.#content, 'moveExamples', 'Take the same inputs out, and add them again.');
    memory.moveExamples(source, target, requireIterable(ids, 'ids'));
    this.#changed();
  }

  /**
   * Forgets examples by showing them again: exactly as if they had never been added, in either memory mode. Where examples are kept the id
   * decides: an input's own, else that of its content.
   * @throws CLASS_NOT_FOUND; EXAMPLE_NOT_FOUND for ids that the class does not have; in statistics mode INVALID_ARGUMENT for inputs that
   *   were never in
   */
  async forgetExamples(
    label: Label,
    examples: Iterable<Input> | AsyncIterable<Input>,
    options: AddOptions = {},
  ): Promise<void> {
    this.#requireUsable();
    const name = canonicalLabel(label);
    this.#requireClass(name);
    const ready = await readyExamples(this.#content, this.backbone, examples, options, this.#context);
    let seen: number;
    do {
      seen = this.#changes;
      await requirePossible(this.#content, name, ready, this.#context);
      this.#requireUsable();
      this.#requireClass(name);
      // What changed meanwhile may have made it impossible.
    } while (seen !== this.#changes);
    takeOutExamples(this.#content, name, ready);
    this.#changed();
  }

  /** @throws CLASS_NOT_FOUND; CLASS_EXISTS where `to` is another class */
  renameClass(from: Label, to: Label): void {
    this.#requireUsable();
    this.#content.rename(canonicalLabel(from), canonicalLabel(to));
    this.#changed();
  }

  /** Moves every example of `from` into `into`. @throws CLASS_NOT_FOUND */
  mergeClasses(from: Label, into: Label): void {
    this.#requireUsable();
    const [source, target] = [canonicalLabel(from), canonicalLabel(into)];
    if (source === target) throw expected('into', `another class than ${describe(from)}`, into);
    this.#content.mergeClasses(source, target);
    this.#changed();
  }

  /**
   * Takes in everything another classifier learned; equal to having learned both here, in any order. In statistics mode an
   * example that both learned counts twice.
   * @throws BACKBONE_MISMATCH; INVALID_ARGUMENT for another memory mode
   */
  merge(other: Classifier<Input, Label>): void {
    this.#requireUsable();
    if (!(other instanceof Classifier)) throw expected('other', 'a Classifier', other);
    requireSameBackbone(other.backbone.identity, this.backbone.identity);
    mergeContent(this.#content, other.#content);
    this.#changed();
  }

  /**
   * Which class an input belongs to, how sure that is, and which examples it resembles.
   * @throws NO_CLASSES before the first class; the input's own error where it cannot be read
   */
  async classify(input: Input, options: ClassifyOptions = {}): Promise<Prediction<Label>> {
    this.#requireUsable();
    this.#requireClasses();
    const signal = signalOf(options);
    if (this.backbone.ready !== undefined) {
      options.signal?.throwIfAborted();
      return this.#predictOne(this.backbone.ready(input), options);
    }
    const letGo = this.#solution().hold();
    try {
      for await (const item of this.backbone.embed([input], signal)) {
        if ('error' in item) throw item.error;
        return await this.#predictOne(item.embedding, options);
      }
    } finally {
      letGo();
    }
    throw new ImprintError(
      'BACKBONE_INVALID',
      'Expected one embedding from the backbone, got none. Check its embed method.',
    );
  }

  /**
   * Classifies inputs as they come, in order, without waiting for those after them; an input that cannot be read yields its error and
   * the stream goes on.
   * Changes to the classifier while the stream runs are seen from its next batch on.
   * @throws NO_CLASSES before the first class
   */
  async *classifyMany(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classified<Label>, void, undefined> {
    this.#requireUsable();
    this.#requireClasses();
    const embedding = this.backbone.embed(requireIterable(inputs, 'inputs'), signalOf(options));
    checkPredictOptions(options);
    const letGo = this.#solution().hold();
    try {
      let count = 0;
      for await (const batch of batchesAtHand(embedding, CLASSIFY_BATCH, this.#context.yieldToHost)) {
        yield* await this.#classifyBatch(batch, options);
        if ((count += batch.length) < TURN_INPUTS) continue;
        count = 0;
        await this.#context.yieldToHost?.();
      }
    } finally {
      letGo();
    }
  }

  /**
   * Measures the classifier on labelled inputs, and on inputs of no class (`options.unknown`) if given.
   * @throws CLASS_NOT_FOUND for a label that is no class; NO_EXAMPLES; INVALID_ARGUMENT where the classifier changes meanwhile
   */
  async evaluate(
    examples: Iterable<LabelledInput<Input, Label>> | AsyncIterable<LabelledInput<Input, Label>>,
    options: EvaluateOptions<Input> = {},
  ): Promise<EvaluationResult> {
    const { evaluateClassifier } = await loadSeldom();
    return evaluateClassifier(this, () => this.#changes, examples, options);
  }

  /** What to look at again among the examples: likely wrong labels, outliers, near duplicates. @throws NO_CLASSES; UNSUPPORTED */
  async review(
    options: { readonly most?: number; readonly signal?: AbortSignalLike } = {},
  ): Promise<ReviewReport<Label>> {
    exampleMemory(this.#content, 'review', 'Learn with memory "examples" to use it.');
    const { signal, most = 50 } = requireOptions(options);
    let solution = await this.#solve(signal);
    const rows = solution.head.leaveOneOutRows?.length ?? this.numExamples;
    if (rows < this.numExamples) {
      // Answers need a sample of leave-one-out, a review as much of it as can be had.
      const context = { ...this.#contextOf(signal), leaveOneOutEntries: REVIEW_ENTRIES };
      solution = await solve(this.#content, this.head, this.unknownBelow, context);
    }
    const { reviewExamples } = await loadSeldom();
    return (await reviewExamples(solution, this.#contextOf(signal), most)) as ReviewReport<Label>;
  }

  /** Which unlabelled inputs to label next, the most useful first. @throws NO_CLASSES; UNSUPPORTED in statistics mode */
  async suggest(
    pool: Iterable<Input> | AsyncIterable<Input>,
    options: { readonly count?: number; readonly signal?: AbortSignalLike } = {},
  ): Promise<SuggestedInput[]> {
    exampleMemory(this.#content, 'suggest', 'Learn with memory "examples" to use it.');
    this.#requireClasses();
    const { signal, count = 10 } = requireOptions(options);
    if (!Number.isSafeInteger(count) || count < 1) throw expected('count', 'a positive integer', count);
    const embedded: Embedded[] = [];
    for await (const item of this.backbone.embed(requireIterable(pool, 'pool'), signalOf(options))) embedded.push(item);
    const { suggestInputs } = await loadSeldom();
    return suggestInputs(await this.#solve(signal), this.#contextOf(signal), embedded, count);
  }

  /** Which head answers at present, its parameters, and why. @throws NO_CLASSES */
  async report(options: { readonly signal?: AbortSignalLike } = {}): Promise<HeadReport> {
    return (await this.#solve(requireOptions(options).signal)).report;
  }

  /** The content as bytes (safetensors). Equal content is equal bytes, whatever led to it. */
  snapshot(): Uint8Array<ArrayBuffer> {
    return encodeSnapshot({
      identity: this.backbone.identity,
      options: { head: this.head, unknownBelow: this.unknownBelow },
      content: this.#content,
    });
  }

  /** SHA-256 of the content, 64 hex digits: equal for equal content. */
  hash(): string {
    return contentHash(this.snapshot());
  }

  /** Writes the snapshot to a store, whole or not at all. */
  async save(store: Store): Promise<void> {
    const isStore = typeof (store as Partial<Store> | null | undefined)?.write === 'function';
    if (!isStore) throw expected('store', 'a store, as of fileStore', store);
    await store.write(this.snapshot());
  }

  /** Idempotent. Frees the backbone only where this classifier owns it. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#changed();
    if (this.#ownsBackbone) await this.backbone.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #add(
    label: Label,
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options: AddOptions,
    check: (name: string) => void,
  ): Promise<AddReport> {
    this.#requireUsable();
    const name = canonicalLabel(label);
    check(name);
    const ready = await readyExamples(this.#content, this.backbone, inputs, options, this.#context);
    // While the pictures were looked at, another call may have come first.
    this.#requireUsable();
    check(name);
    const added = commitExamples(this.#content, name, ready);
    this.#changed();
    return { added, duplicates: ready.count - added, unreadable: ready.unreadable };
  }

  async #classifyBatch(batch: readonly Embedded[], options: ClassifyOptions): Promise<Classified<Label>[]> {
    const embeddings = batch.flatMap((item) => ('error' in item ? [] : [item.embedding]));
    const predictions = await this.#predict(embeddings, options);
    let row = 0;
    return batch.map((item) => {
      if ('error' in item) return item;
      return { index: item.index, source: item.source, id: item.id, prediction: predictions[row++] };
    });
  }

  /** At once where it is solved: every promise waited for takes as long as a small classifier's answer. */
  #predictOne(embedding: Float32Array, options: ClassifyOptions): Prediction<Label> | Promise<Prediction<Label>> {
    const { dim, taps } = this.backbone.identity;
    const solved = this.#solved(options.signal);
    if (solved !== undefined) {
      encodeCodesInto(embedding, 1, taps.length, dim, this.#codes);
      return solved.predictOne(this.#codes, options) as Prediction<Label>;
    }
    const codes = encodeCodes(embedding, 1, taps.length, dim);
    return this.#solve(options.signal).then((solution) => solution.predictOne(codes, options) as Prediction<Label>);
  }

  async #predict(embeddings: readonly Float32Array[], options: ClassifyOptions): Promise<Prediction<Label>[]> {
    const solution = await this.#solve(options.signal);
    const { dim, taps } = this.backbone.identity;
    const width = taps.length * dim;
    const codes = new Int8Array(embeddings.length * width);
    embeddings.forEach((embedding, row) => codes.set(encodeCodes(embedding, 1, taps.length, dim), row * width));
    return (await solution.predict(codes, embeddings.length, options)) as Prediction<Label>[];
  }

  /** What is solved already. */
  #solved(signal: AbortSignalLike | undefined): Solution | undefined {
    this.#requireUsable();
    this.#requireClasses();
    signal?.throwIfAborted();
    return this.#pending?.solved;
  }

  #contextOf(signal: AbortSignalLike | undefined): FitContext {
    return signal === undefined ? this.#context : { ...this.#context, signal };
  }

  async #solve(signal: AbortSignalLike | undefined): Promise<Solution> {
    this.#requireUsable();
    this.#requireClasses();
    return this.#solution().wait(signal);
  }

  /** The solve of the present content, begun where it was not. Call its `wait` or `hold` in the same turn. */
  #solution(): PendingSolution {
    if (this.#pending === undefined || this.#pending.stopped) {
      this.#pending = new PendingSolution(this.#context, (context) =>
        solve(this.#content, this.head, this.unknownBelow, context),
      );
    }
    return this.#pending;
  }

  #changed(): void {
    this.#changes++;
    this.#pending?.release();
    this.#pending = undefined;
  }

  #requireClass(name: string): void {
    if (!this.#content.has(name))
      throw classNotFound(
        name,
        this.#content.classes().map(({ label }) => label),
      );
  }

  #requireNoClass(name: string): void {
    if (this.#content.has(name)) {
      throw new ImprintError(
        'CLASS_EXISTS',
        `Expected a new label, got ${describe(name)}, which is a class already. To add examples to it use addExamples.`,
      );
    }
  }

  #requireClasses(): void {
    if (this.#content.numClasses === 0) {
      throw new ImprintError(
        'NO_CLASSES',
        'Expected at least one class before classifying, got none. Call addClass(label, examples) first.',
      );
    }
  }

  #requireUsable(): void {
    if (this.#disposed) {
      throw new ImprintError(
        'DISPOSED',
        'Expected a classifier in use, got one that was disposed. Restore it from its snapshot.',
      );
    }
  }
}

function requireBackbone(backbone: unknown): void {
  if (typeof (backbone as Backbone<unknown> | null | undefined)?.embed === 'function') return;
  throw expected('backbone', 'a loaded backbone, as of loadBackbone or readyEmbeddings', backbone);
}

function signalOf(options: { readonly signal?: AbortSignalLike }): { signal: AbortSignalLike } | undefined {
  const { signal } = requireOptions(options);
  return signal === undefined ? undefined : { signal };
}
