/** Remembers the embeddings of chosen inputs as they pass by, so that a change can be told without its pictures. */

import type { Backbone, BackboneIdentity, Embedded, EmbedOptions, SameClassCosines } from '@imprint/core';
import type { WireInput } from '../protocol.ts';
import type { Turns } from './turns.ts';

export type Inputs = Iterable<WireInput> | AsyncIterable<WireInput>;

/** An input that has been embedded. */
export type Seen = Extract<Embedded, { readonly embedding: Float32Array }>;

export class RecordingBackbone implements Backbone<WireInput> {
  readonly identity: BackboneIdentity;
  readonly sameClass?: SameClassCosines;
  readonly #inner: Backbone<WireInput>;
  readonly #turns: Turns;
  readonly #recorders = new WeakMap<Inputs, Seen[]>();
  readonly #ready = new WeakMap<Inputs, readonly Seen[]>();
  readonly #changes = new WeakSet<Inputs>();

  constructor(inner: Backbone<WireInput>, turns: Turns) {
    this.#inner = inner;
    this.#turns = turns;
    this.identity = inner.identity;
    if (inner.sameClass) this.sameClass = inner.sameClass;
  }

  get device(): string {
    return this.#inner.device;
  }

  /** The list that fills while `inputs` are embedded. */
  record(inputs: Inputs): readonly Seen[] {
    const seen = this.#recorders.get(inputs) ?? [];
    this.#recorders.set(inputs, seen);
    return seen;
  }

  /** Inputs that stand for what was embedded before. */
  again(seen: readonly Seen[]): Inputs {
    const inputs: Inputs = [];
    this.#ready.set(inputs, seen);
    return inputs;
  }

  /** `inputs` belong to a change that others wait for: they wait for none. */
  goFirst(inputs: Inputs): void {
    this.#changes.add(inputs);
  }

  async *embed(inputs: Inputs, options?: EmbedOptions): AsyncGenerator<Embedded, void, undefined> {
    const seen = this.#recorders.get(inputs);
    const ready = this.#ready.get(inputs);
    const waits = ready === undefined && !this.#changes.has(inputs);
    if (waits) await this.#turns.afterChanges(options?.signal);
    for await (const item of ready ?? this.#inner.embed(inputs, options)) {
      if (seen !== undefined && 'embedding' in item) seen.push(item);
      yield item;
      if (waits) await this.#turns.betweenPictures(options?.signal);
    }
  }

  dispose(): Promise<void> {
    return this.#inner.dispose();
  }
}

/** A backbone for what was embedded before: its inputs are its outputs. */
export function seenBackbone(identity: BackboneIdentity): Backbone<Seen> {
  return {
    identity,
    device: 'none (embeddings are ready)',
    async *embed(inputs) {
      yield* inputs;
    },
    dispose: () => Promise.resolve(),
  };
}
