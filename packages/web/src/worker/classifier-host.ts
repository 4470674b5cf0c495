/** The classifier in the worker: the verbs that change it, each with what the page needs to repeat the change. */

import {
  canonicalLabel,
  Classifier,
  createWasmGemm,
  ImprintError,
  type AddOptions,
  type AddReport,
  type ClassifierOptions,
} from '@imprint/core';
import type { JournalEntry, ReplayedVerb, WireInput, WireState, WorkerOptions } from '../protocol.ts';
import { openStore } from '../store/open-store.ts';
import { StoreKeeper, type KeeperEvents, type KeptContent } from '../store/store-keeper.ts';
import { storageReport } from '../storage-report.ts';
import type { StorageReport } from '../web-classifier.ts';
import { MAX_THREADS, threadsOf } from './engine.ts';
import { gemmWithHelpers } from './helpers.ts';
import { RecordingBackbone, seenBackbone, type Inputs, type Seen } from './recording-backbone.ts';
import { Turns } from './turns.ts';
import type { WebBackbone } from './web-backbone.ts';

/** A change that was made: what its caller is told, and what is kept of it. */
export interface Change<T> {
  readonly value: T;
  readonly journal: JournalEntry;
  /** Whether the store has it, where there is a store: the page need not remember it then. @throws where it had to be given up */
  readonly isStored?: Promise<boolean>;
}

export class ClassifierHost {
  readonly #web: WebBackbone;
  readonly #backbone: RecordingBackbone;
  readonly #options: ClassifierOptions;
  readonly #turns: Turns;
  #classifier: Classifier<WireInput>;
  #lastOne: Promise<unknown> = Promise.resolve();
  #lastEntry: Promise<unknown> = Promise.resolve();
  #keeper: StoreKeeper<Classifier<WireInput>> | undefined;

  constructor(backbone: WebBackbone, options: WorkerOptions, yieldToHost: () => Promise<void>) {
    const { head, unknownBelow, memory, assets, numThreads } = options;
    // The matrix engine is core's own WASM: 34 GFLOP/s in Chromium on one thread, where ONNX Runtime's gives 26.
    // Many more helpers than cores would only take each other's time.
    const most = Math.max(MAX_THREADS, navigator.hardwareConcurrency || 1);
    const numHelpers = Math.min(threadsOf(numThreads), most) - 1;
    const gemm = gemmWithHelpers(createWasmGemm(yieldToHost), assets.seldom, numHelpers);
    this.#web = backbone;
    this.#turns = new Turns(yieldToHost);
    this.#backbone = new RecordingBackbone(backbone, this.#turns);
    this.#options = {
      yieldToHost,
      gemm,
      ...(head !== undefined && { head }),
      ...(unknownBelow !== undefined && { unknownBelow }),
      ...(memory !== undefined && { memory }),
    };
    this.#classifier = new Classifier(this.#backbone, this.#options);
  }

  /** For the verbs that only ask. */
  get classifier(): Classifier<WireInput> {
    return this.#classifier;
  }

  state(): WireState {
    const { head, unknownBelow, memory, classes, numExamples } = this.#classifier;
    const plain = classes.map(({ label, count }) => ({ label, count }));
    const { deviceReport: device } = this.#web;
    return { head, unknownBelow, memory, classes: plain, numExamples, device, storage: this.storageKind };
  }

  /** Takes over what `store` holds, and then the changes of an earlier worker. @throws what opening the store throws */
  async open(store: string | undefined, journal: readonly JournalEntry[], events: KeeperEvents): Promise<void> {
    const place = store === undefined ? undefined : await openStore(store, (message) => events.onNotice(message));
    if (place === undefined) {
      for (const entry of journal) this.#classifier = await this.#applied(this.#classifier, entry);
      return;
    }
    const content: KeptContent<Classifier<WireInput>> = {
      restore: (bytes) => (bytes === undefined ? new Classifier(this.#backbone, this.#options) : this.#restored(bytes)),
      applied: (classifier, entry) => this.#applied(classifier, entry),
      replace: (classifier) => (this.#classifier = classifier),
      settled: () => this.#settled(),
      snapshot: () => this.#classifier.snapshot(),
    };
    const keeper = new StoreKeeper(place, content, events);
    await keeper.open(journal);
    this.#keeper = keeper;
    const { memory } = this.#classifier;
    if ((this.#options.memory ?? memory) === memory) return;
    const message = `Expected memory ${JSON.stringify(this.#options.memory)}, but the store ${JSON.stringify(store)} holds a classifier with ${JSON.stringify(memory)}, which stays. Use another store.`;
    events.onNotice(message);
  }

  get storageKind(): StorageReport['kind'] {
    return this.#keeper?.store.kind ?? 'memory';
  }

  storage(): Promise<StorageReport> {
    return storageReport(this.storageKind, this.#keeper?.isSaved ?? false);
  }

  /** @throws FILE_UNWRITABLE where not everything can be stored; UNSUPPORTED where there is no store */
  async flush(): Promise<void> {
    await this.#settled();
    if (this.#keeper !== undefined) return this.#keeper.flush();
    const message = 'Expected a store to flush to, got a classifier without one. Pass `store`, or export() to a file.';
    throw new ImprintError('UNSUPPORTED', message);
  }

  async add(
    verb: 'addClass' | 'addExamples',
    label: string,
    inputs: Inputs,
    options: AddOptions,
  ): Promise<Change<AddReport>> {
    await this.#keeper?.catchUp();
    const seen = this.#backbone.record(inputs);
    const classifier = this.#classifier;
    const value = await classifier[verb](label, inputs, options);
    return this.#changed(value, classifier, () => this.#added(label, seen));
  }

  /** One after the other: of two first examples of a class, the second finds it there. */
  addOne(label: string, input: WireInput): Promise<Change<AddReport>> {
    const add = this.#lastOne.then(async () => {
      await this.#keeper?.catchUp();
      const name = canonicalLabel(label);
      const inputs = [input];
      this.#backbone.goFirst(inputs);
      const seen = this.#backbone.record(inputs);
      for (;;) {
        const isKnown = this.#classifier.classes.some((summary) => summary.label === name);
        try {
          const ready = seen.length === 0 ? inputs : this.#backbone.again(seen);
          return await this.add(isKnown ? 'addExamples' : 'addClass', name, ready, {});
        } catch (error) {
          // Another tab has made the class meanwhile, or taken it away; each round has such a change behind it.
          const code = error instanceof ImprintError && error.code;
          if (code !== (isKnown ? 'CLASS_NOT_FOUND' : 'CLASS_EXISTS')) throw error;
        }
      }
    });
    this.#lastOne = add.catch(() => undefined);
    return this.#first(add);
  }

  async forget(label: string, inputs: Inputs, options: AddOptions): Promise<Change<undefined>> {
    await this.#keeper?.catchUp();
    const seen = this.#backbone.record(inputs);
    const classifier = this.#classifier;
    await classifier.forgetExamples(label, inputs, options);
    return this.#changed(undefined, classifier, () => {
      if (classifier.memory === 'statistics') return { kind: 'forgotten', label, seen };
      return { kind: 'verb', verb: 'removeExamples', args: [label, seen.map(({ id }) => id)] };
    });
  }

  /** @throws what the verb throws */
  async change(verb: ReplayedVerb, args: readonly unknown[]): Promise<Change<undefined>> {
    return this.#first(this.#make({ kind: 'verb', verb, args }));
  }

  /** @throws SNAPSHOT_INVALID, SNAPSHOT_VERSION, BACKBONE_MISMATCH, INVALID_ARGUMENT; nothing has changed then */
  async import(bytes: Uint8Array, merge: boolean): Promise<Change<undefined>> {
    return this.#first(this.#make({ kind: merge ? 'added' : 'whole', bytes }));
  }

  /** Everything in one entry, which stands for all before it. */
  whole(): Promise<Change<undefined>> {
    const bytes = this.#classifier.snapshot();
    const entry: JournalEntry = { kind: 'whole', bytes };
    const whole = this.#lastEntry.then(() => ({ value: undefined, journal: entry }));
    this.#lastEntry = whole;
    return whole;
  }

  async #make(entry: JournalEntry): Promise<Change<undefined>> {
    await this.#keeper?.catchUp();
    const classifier = await this.#applied(this.#classifier, entry);
    // No turn between: what is applied is the content.
    this.#classifier = classifier;
    return this.#changed(undefined, classifier, () => entry);
  }

  /**
   * Tells of a change that was made on `on`. Entries leave in the order of their changes: what the page holds after a crash
   * is the content at some moment. Where another tab's content, or a file's, has come in meanwhile, it is repeated on that.
   */
  #changed<T>(
    value: T,
    on: Classifier<WireInput>,
    make: () => JournalEntry | Promise<JournalEntry>,
  ): Promise<Change<T>> {
    const changed = this.#lastEntry.then(async () => {
      const journal = await make();
      while (on !== this.#classifier) {
        on = this.#classifier;
        const applied = await this.#applied(on, journal);
        if (on === this.#classifier) on = this.#classifier = applied;
      }
      const isStored = this.#keeper?.changed(journal);
      isStored?.catch(() => undefined);
      return { value, journal, ...(isStored && { isStored }) };
    });
    this.#lastEntry = changed.catch(() => undefined);
    return this.#first(changed);
  }

  /** Pictures that come from now on wait until `change` was made and stored, or could not be. */
  #first<T>(change: Promise<Change<T>>): Promise<Change<T>> {
    this.#turns.goFirst(change.then(({ isStored }) => isStored));
    return change;
  }

  /** Resolves when every change that was made has been told. */
  async #settled(): Promise<void> {
    for (let last; last !== this.#lastEntry;) await (last = this.#lastEntry);
  }

  /** `classifier` with a change repeated on it, or what it replaces it by. */
  async #applied(classifier: Classifier<WireInput>, entry: JournalEntry): Promise<Classifier<WireInput>> {
    switch (entry.kind) {
      case 'whole':
        return this.#restored(entry.bytes);
      case 'added':
        classifier.merge(Classifier.restore(entry.bytes, this.#backbone));
        break;
      case 'forgotten':
        await classifier.forgetExamples(entry.label, this.#backbone.again(entry.seen));
        break;
      case 'verb': {
        const [first, second, third] = entry.args as [string, never, never];
        classifier[entry.verb](first, second, third);
      }
    }
    return classifier;
  }

  #restored(bytes: Uint8Array): Classifier<WireInput> {
    const { memory: _, ...options } = this.#options;
    return Classifier.restore(bytes, this.#backbone, options);
  }

  /** What was added, as a snapshot of it alone: its size is that of the addition, however much was learned before. */
  async #added(label: string, seen: readonly Seen[]): Promise<JournalEntry> {
    const { memory } = this.#classifier;
    const alone = new Classifier(seenBackbone(this.#backbone.identity), { memory });
    await alone.addClass(label, seen);
    return { kind: 'added', bytes: alone.snapshot() };
  }
}
