/** The facade: a classifier that learns a class from a few examples at once, and forgets nothing. */

import type { Backbone, Embedded } from './backbone.ts';
import { embedExamples, type AddOptions, type EmbeddedExamples } from './embed-examples.ts';
import { ImprintError, describe, expected } from './errors.ts';
import { evaluateClassifier, type EvaluateOptions, type LabelledInput } from './evaluate-classifier.ts';
import type { EvaluationResult } from './evaluation/evaluate.ts';
import type { Gemm } from './gemm.ts';
import type { HeadReport } from './head.ts';
import { headNamed } from './heads/head-named.ts';
import { encodeCodes } from './memory/codes.ts';
import { ExampleMemory, type ClassSummary } from './memory/example-memory.ts';
import { canonicalLabel } from './memory/label.ts';
import type { AbortSignalLike } from './platform.ts';
import type { AddReport, Classified, Prediction } from './prediction.ts';
import { contentHash, decodeSnapshot, encodeSnapshot } from './snapshot/snapshot.ts';
import { requireSameBackbone } from './snapshot/identity.ts';
import { solve, type PredictOptions, type Solution } from './solution.ts';
import type { Store } from './store.ts';

export interface ClassifierOptions {
  /** Which head answers; `auto` (the default) chooses by exact leave-one-out. */
  readonly head?: string;
  /** A prediction whose novelty p-value is below this has `label: null`. From 0 (never unknown) to 1. Default 0.01. */
  readonly unknownBelow?: number;
  /** Who multiplies matrices; default core's own kernel. Runtimes inject ONNX Runtime's. */
  readonly gemm?: Gemm;
  /** Lets the host's event loop turn between slices of a long solve. Runtimes inject it. */
  readonly yieldToHost?: () => Promise<void>;
  /** Whether `dispose` also disposes the backbone. Default false: several classifiers can share one. */
  readonly ownsBackbone?: boolean;
}

export interface ClassifyOptions extends PredictOptions {
  readonly signal?: AbortSignalLike;
}

/** Examples embedded and classified in one step of `classifyMany`. */
const BATCH = 32;
const DEFAULT_UNKNOWN_BELOW = 0.01;

/**
 * A classifier over any backbone. `Input` is what the backbone embeds, `Label` the texts that name classes.
 * All verbs are atomic: one that throws has changed nothing.
 */
export class Classifier<Input, Label extends string = string> implements AsyncDisposable {
  readonly backbone: Backbone<Input>;
  readonly head: string;
  readonly unknownBelow: number;
  readonly #options: ClassifierOptions;
  #memory: ExampleMemory;
  #solution: { readonly memory: ExampleMemory; readonly promise: Promise<Solution> } | undefined;
  #disposed = false;

  /** @throws INVALID_ARGUMENT for an unknown head, or `unknownBelow` outside 0 to 1 */
  constructor(backbone: Backbone<Input>, options: ClassifierOptions = {}) {
    const { head = 'auto', unknownBelow = DEFAULT_UNKNOWN_BELOW } = options;
    headNamed(head);
    if (!(unknownBelow >= 0 && unknownBelow <= 1)) throw expected('unknownBelow', 'a number from 0 to 1', unknownBelow);
    this.backbone = backbone;
    this.head = head;
    this.unknownBelow = unknownBelow;
    this.#options = options;
    this.#memory = new ExampleMemory(backbone.identity.taps.length, backbone.identity.dim);
  }

  /**
   * The classifier that `bytes` hold, on the backbone it was learned with. Options given here win over the saved ones.
   * @throws SNAPSHOT_INVALID, SNAPSHOT_VERSION, BACKBONE_MISMATCH
   */
  static restore<Input, Label extends string = string>(
    bytes: Uint8Array,
    backbone: Backbone<Input>,
    options: ClassifierOptions = {},
  ): Classifier<Input, Label> {
    const snapshot = decodeSnapshot(bytes);
    requireSameBackbone(snapshot.identity, backbone.identity);
    const classifier = new Classifier<Input, Label>(backbone, { ...snapshot.options, ...options });
    classifier.#memory = snapshot.memory;
    return classifier;
  }

  /** Classes and their example counts, in canonical order (ascending by UTF-16 units). */
  get classes(): readonly (ClassSummary & { readonly label: Label })[] {
    return this.#memory.classes() as (ClassSummary & { label: Label })[];
  }

  get numExamples(): number {
    return this.#memory.numExamples;
  }

  /** Ids and sources of one class's examples, by id. @throws CLASS_NOT_FOUND */
  examples(label: Label): readonly { readonly id: string; readonly source: string | undefined }[] {
    return this.#memory.examples(canonicalLabel(label)).map(({ id, source }) => ({ id, source }));
  }

  /**
   * Learns a new class from its examples. Nothing is trained; every other class stays exactly as it was.
   * @throws CLASS_EXISTS, NO_EXAMPLES, INVALID_LABEL; the first unreadable input's error unless `onUnreadable: 'skip'`
   */
  async addClass(
    label: Label,
    examples: Iterable<Input> | AsyncIterable<Input>,
    options: AddOptions = {},
  ): Promise<AddReport> {
    const name = canonicalLabel(label);
    this.#requireNoClass(name);
    const embedded = await this.#embed(examples, options);
    this.#requireNoClass(name);
    return this.#commit(name, embedded);
  }

  /** Adds examples to a class. @throws CLASS_NOT_FOUND and what `addClass` throws */
  async addExamples(
    label: Label,
    examples: Iterable<Input> | AsyncIterable<Input>,
    options: AddOptions = {},
  ): Promise<AddReport> {
    const name = canonicalLabel(label);
    this.#memory.examples(name);
    const embedded = await this.#embed(examples, options);
    this.#memory.examples(name);
    return this.#commit(name, embedded);
  }

  /** Forgets a class: exactly as if it had never been added. @throws CLASS_NOT_FOUND */
  removeClass(label: Label): void {
    this.#requireUsable();
    this.#memory.removeClass(canonicalLabel(label));
    this.#changed();
  }

  /** Forgets examples by id; a class left without any goes too. @throws CLASS_NOT_FOUND, EXAMPLE_NOT_FOUND */
  removeExamples(label: Label, ids: readonly string[]): void {
    this.#requireUsable();
    this.#memory.removeExamples(canonicalLabel(label), ids);
    this.#changed();
  }

  /** @throws CLASS_NOT_FOUND; CLASS_EXISTS where `to` is another class */
  renameClass(from: Label, to: Label): void {
    this.#requireUsable();
    this.#memory.rename(canonicalLabel(from), canonicalLabel(to));
    this.#changed();
  }

  /** Moves every example of `from` into `into`. @throws CLASS_NOT_FOUND */
  mergeClasses(from: Label, into: Label): void {
    this.#requireUsable();
    const [source, target] = [canonicalLabel(from), canonicalLabel(into)];
    if (source === target) throw expected('into', `another class than ${describe(from)}`, into);
    const memory = this.#memory.clone();
    memory.examples(target);
    memory.add(target, memory.examples(source));
    memory.removeClass(source);
    this.#memory = memory;
    this.#changed();
  }

  /**
   * Takes in everything another classifier learned; equal to having learned both here, in any order.
   * @throws BACKBONE_MISMATCH
   */
  merge(other: Classifier<Input, Label>): void {
    this.#requireUsable();
    requireSameBackbone(other.backbone.identity, this.backbone.identity);
    const memory = this.#memory.clone();
    for (const { label } of other.#memory.classes()) memory.add(label, other.#memory.examples(label));
    this.#memory = memory;
    this.#changed();
  }

  /**
   * Which class an input belongs to, how sure that is, and which examples it resembles.
   * @throws NO_CLASSES before the first class; the input's own error where it cannot be read
   */
  async classify(input: Input, options: ClassifyOptions = {}): Promise<Prediction<Label>> {
    for await (const result of this.classifyMany([input], options)) {
      if ('error' in result) throw result.error;
      return result.prediction;
    }
    throw new ImprintError(
      'BACKBONE_INVALID',
      'Expected one embedding from the backbone, got none. Check its embed method.',
    );
  }

  /**
   * Classifies inputs as they come, in order; an input that cannot be read yields its error and the stream goes on.
   * Changes to the classifier while the stream runs are seen from its next batch on.
   */
  async *classifyMany(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classified<Label>, void, undefined> {
    this.#requireUsable();
    if (this.#memory.numClasses === 0) {
      throw new ImprintError(
        'NO_CLASSES',
        'Expected at least one class before classifying, got none. Call addClass(label, examples) first.',
      );
    }
    let batch: Embedded[] = [];
    for await (const embedded of this.backbone.embed(inputs, signalOf(options))) {
      batch.push(embedded);
      if (batch.length === BATCH) {
        yield* await this.#classifyBatch(batch, options);
        batch = [];
      }
    }
    if (batch.length > 0) yield* await this.#classifyBatch(batch, options);
  }

  /**
   * Measures the classifier on labelled inputs, and on inputs of no class (`options.unknown`) if given.
   * @throws CLASS_NOT_FOUND for a label that is no class; NO_EXAMPLES
   */
  async evaluate(
    examples: Iterable<LabelledInput<Input, Label>> | AsyncIterable<LabelledInput<Input, Label>>,
    options: EvaluateOptions<Input> = {},
  ): Promise<EvaluationResult> {
    return evaluateClassifier(this, examples, options);
  }

  /** Which head answers at present, its parameters, and why. @throws NO_CLASSES */
  async report(options: { readonly signal?: AbortSignalLike } = {}): Promise<HeadReport> {
    return (await this.#solve(options.signal)).report;
  }

  /** The content as bytes (safetensors). Equal content is equal bytes, whatever led to it. */
  snapshot(): Uint8Array<ArrayBuffer> {
    return encodeSnapshot({
      identity: this.backbone.identity,
      options: { head: this.head, unknownBelow: this.unknownBelow },
      memory: this.#memory,
    });
  }

  /** SHA-256 of the content, 64 hex digits: equal for equal content. */
  hash(): string {
    return contentHash(this.snapshot());
  }

  /** Writes the snapshot to a store, whole or not at all. */
  async save(store: Store): Promise<void> {
    await store.write(this.snapshot());
  }

  /** Idempotent. Frees the backbone only where this classifier owns it. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#solution = undefined;
    if (this.#options.ownsBackbone === true) await this.backbone.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #embed(examples: Iterable<Input> | AsyncIterable<Input>, options: AddOptions): Promise<EmbeddedExamples> {
    this.#requireUsable();
    const embedded = await embedExamples(this.backbone, examples, options);
    this.#requireUsable();
    return embedded;
  }

  #commit(label: string, { examples, unreadable }: EmbeddedExamples): AddReport {
    const added = this.#memory.add(label, examples);
    this.#changed();
    return { added, duplicates: examples.length - added, unreadable };
  }

  async #classifyBatch(batch: readonly Embedded[], options: ClassifyOptions): Promise<Classified<Label>[]> {
    const solution = await this.#solve(options.signal);
    const { dim, taps } = this.backbone.identity;
    const width = taps.length * dim;
    const readable = batch.flatMap((item) => ('error' in item ? [] : [item]));
    const codes = new Int8Array(readable.length * width);
    readable.forEach((item, row) => codes.set(encodeCodes(item.embedding, 1, taps.length, dim), row * width));
    const predictions = (await solution.predict(codes, readable.length, options)) as Prediction<Label>[];
    let row = 0;
    return batch.map((item) => {
      if ('error' in item) return item;
      return { index: item.index, source: item.source, id: item.id, prediction: predictions[row++] };
    });
  }

  #solve(signal: AbortSignalLike | undefined): Promise<Solution> {
    this.#requireUsable();
    const memory = this.#memory;
    if (this.#solution?.memory !== memory) {
      // A caller's abort ends its own wait below; the solve itself serves every later caller.
      const promise = solve(memory.view(), { ...this.#options, head: this.head, unknownBelow: this.unknownBelow });
      this.#solution = { memory, promise };
      promise.catch(() => {
        if (this.#solution?.promise === promise) this.#solution = undefined;
      });
    }
    return this.#solution.promise.then((solution) => {
      signal?.throwIfAborted();
      return solution;
    });
  }

  #changed(): void {
    this.#solution = undefined;
  }

  #requireNoClass(label: string): void {
    if (this.#memory.has(label)) {
      throw new ImprintError(
        'CLASS_EXISTS',
        `Expected a new label, got ${describe(label)}, which is a class already. To add examples to it use addExamples.`,
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

function signalOf(options: { readonly signal?: AbortSignalLike }): { signal: AbortSignalLike } | undefined {
  return options.signal === undefined ? undefined : { signal: options.signal };
}
