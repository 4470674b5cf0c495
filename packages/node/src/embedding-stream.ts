/** Keeps decoding and inference busy at once over a stream of inputs, in bounded memory, and gives results in input order. */

import { expected } from '@imprint/core';
import type { AbortSignalLike, Embedded, ImprintError } from '@imprint/core';

/** A picture that is ready for the model. */
export interface Prepared {
  readonly id: string;
  readonly pixels: Float32Array<ArrayBuffer>;
}

/** What a backbone does for a stream. A rejected promise ends the stream; a picture's own fault is an `error` instead. */
export interface EmbeddingSteps<Input> {
  sourceOf(input: Input): string | undefined;
  /** @param isWanted false once the stream has ended: what the promise then says is not heard */
  prepare(input: Input, isWanted: () => boolean): Promise<Prepared | { readonly error: ImprintError }>;
  /** One embedding, taps x dim, for each of up to `batchSize` pictures. */
  infer(pixels: Float32Array<ArrayBuffer>[]): Promise<Float32Array[]>;
  readonly batchSize: number;
  /** Batches that may be with `infer` at once. */
  readonly batchesAhead: number;
}

interface Slot {
  readonly index: number;
  readonly source: string | undefined;
  id?: string;
  pixels?: Float32Array<ArrayBuffer>;
  result?: Embedded;
}

class EmbeddingStream<Input> {
  readonly #steps: EmbeddingSteps<Input>;
  readonly #asynchronous: boolean;
  readonly #iterator: Iterator<Input> | AsyncIterator<Input>;
  /** At most this many inputs between being read and being handed out. */
  readonly #maxAhead: number;
  readonly #slots: Slot[] = [];
  #ready: Slot[] = [];
  #nextIndex = 0;
  #preparing = 0;
  #batches = 0;
  #pulling = false;
  #exhausted = false;
  #failure: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(inputs: Iterable<Input> | AsyncIterable<Input>, steps: EmbeddingSteps<Input>) {
    this.#steps = steps;
    this.#asynchronous = Symbol.asyncIterator in inputs;
    this.#iterator = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
    this.#maxAhead = steps.batchSize * (steps.batchesAhead + 2);
  }

  /** The next result in input order, or undefined at the end. */
  async next(): Promise<Embedded | undefined> {
    for (;;) {
      this.#advance();
      if (this.#failure) throw this.#failure.reason;
      if (this.#slots[0]?.result) return this.#slots.shift()!.result;
      if (this.#exhausted && this.#slots.length === 0) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  /** Tells the source that no more inputs are wanted. */
  async close(): Promise<void> {
    this.#failure ??= { reason: undefined };
    if (this.#exhausted) return;
    const closed = Promise.resolve(this.#iterator.return?.());
    // A source that is waiting for its next item closes when that comes: no reason to wait with it.
    if (this.#pulling) closed.catch(() => undefined);
    else await closed;
  }

  #advance(): void {
    if (!this.#failure) {
      this.#pull();
      this.#dispatch();
    }
    this.#wake?.();
  }

  #pull(): void {
    while (!this.#pulling && !this.#exhausted && !this.#failure && this.#slots.length < this.#maxAhead) {
      let step;
      try {
        step = this.#iterator.next();
      } catch (error) {
        this.#exhausted = true;
        this.fail(error);
        return;
      }
      if (!this.#asynchronous) {
        try {
          this.#accept(step as IteratorResult<Input>);
        } catch (error) {
          this.fail(error);
        }
        continue;
      }
      this.#pulling = true;
      Promise.resolve(step)
        .then((result) => {
          this.#pulling = false;
          this.#accept(result);
          this.#advance();
        })
        .catch((error: unknown) => {
          this.#exhausted = true;
          this.fail(error);
        });
    }
  }

  /** @throws what looking at an input of the caller's throws */
  #accept(step: IteratorResult<Input>): void {
    if (typeof step !== 'object' || step === null) {
      throw expected('inputs', 'an iterator of { done, value }', step);
    }
    if (step.done) {
      this.#exhausted = true;
      return;
    }
    const slot: Slot = { index: this.#nextIndex++, source: this.#steps.sourceOf(step.value) };
    this.#slots.push(slot);
    this.#preparing++;
    this.#steps
      .prepare(step.value, () => this.#failure === undefined)
      .then((prepared) => {
        this.#preparing--;
        if ('error' in prepared) {
          slot.result = { index: slot.index, source: slot.source, error: prepared.error };
        } else {
          slot.id = prepared.id;
          slot.pixels = prepared.pixels;
          this.#ready.push(slot);
        }
        this.#advance();
      })
      .catch((error: unknown) => this.fail(error));
  }

  #dispatch(): void {
    const { batchSize, batchesAhead } = this.#steps;
    for (;;) {
      const full = this.#ready.length >= batchSize && this.#batches < batchesAhead;
      // A short batch goes only when nothing could fill it: the source has ended or is slow, and inference is idle.
      const rest =
        this.#ready.length > 0 && this.#preparing === 0 && (this.#exhausted || this.#pulling) && this.#batches === 0;
      if (!full && !rest) return;
      const batch = this.#ready.slice(0, batchSize);
      this.#ready = this.#ready.slice(batchSize);
      this.#batches++;
      const pixels = batch.map((slot) => slot.pixels!);
      for (const slot of batch) delete slot.pixels;
      this.#steps
        .infer(pixels)
        .then((embeddings) => {
          this.#batches--;
          batch.forEach((slot, i) => {
            slot.result = { index: slot.index, id: slot.id!, source: slot.source, embedding: embeddings[i] };
          });
          this.#advance();
        })
        .catch((error: unknown) => this.fail(error));
    }
  }
}

/**
 * Embeds `inputs`: reads them as the consumer asks, a few batches ahead, and yields one result an input, in input order.
 * @throws what the source throws, what a step rejects with, or the signal's reason, as soon as it happens
 */
export async function* embedInOrder<Input>(
  inputs: Iterable<Input> | AsyncIterable<Input>,
  steps: EmbeddingSteps<Input>,
  signal: AbortSignalLike | undefined,
): AsyncGenerator<Embedded, void, undefined> {
  signal?.throwIfAborted();
  const stream = new EmbeddingStream(inputs, steps);
  const onAbort = () => stream.fail(signal?.reason);
  signal?.addEventListener?.('abort', onAbort);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const result = await stream.next();
      if (result === undefined) return;
      yield result;
    }
  } finally {
    signal?.removeEventListener?.('abort', onAbort);
    await stream.close();
  }
}
