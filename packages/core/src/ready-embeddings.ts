/** A backbone for embeddings that were made elsewhere: text, audio, another library's vectors, benchmark features. */

import type { Backbone, BackboneIdentity, Embedded, SameClassCosines } from './backbone.ts';
import { FieldReader } from './backbones/field-reader.ts';
import { parseSameClass } from './backbones/parse-same-class.ts';
import { describe, ImprintError, expected, requireOptions, requireText } from './errors.ts';
import { isTagged, utf8Encode, type AbortSignalLike } from './platform.ts';
import { sha256Hex } from './sha256.ts';

export interface ReadyEmbedding {
  /**
   * Float32Array, taps x dim, row-major, any length. Kept as int8: of a tap scaled to length 1, numbers beyond 6 / sqrt(dim) are cut to
   * that. What lies in a few coordinates (counts of words, sparse codes) is lost so: turn it by one fixed random rotation first.
   */
  readonly embedding: Float32Array;
  /** Default: first 16 hex digits of the sha256 of the embedding's bytes. */
  readonly id?: string;
  readonly source?: string;
}

/**
 * Longest tap: the novelty score whitens the first one by a matrix of dim x dim. At 8,192 the first answer of 20 examples takes 9 seconds
 * and 1.1 GB, at 16,384 it took 17 seconds and 4.2 GB.
 */
const MOST_DIM = 8192;
/** Numbers of all taps: 32 x 1,024, where the first answer of 500 examples takes 2 seconds and 270 MB. */
const MOST_WIDTH = 32_768;

export interface ReadyEmbeddingsOptions {
  /** Says what made the embeddings; two classifiers can be merged when name, dim and taps agree. */
  readonly name: string;
  /** Numbers of one tap, 1 to 8,192; with all taps at most 32,768. Statistics mode keeps a matrix of (taps x dim)^2 numbers. */
  readonly dim: number;
  /** Tap names, default one tap. */
  readonly taps?: readonly string[];
  /** How alike embeddings of one class are, where it was measured: few examples then tell strangers. No part of the identity. */
  readonly sameClass?: SameClassCosines;
}

/**
 * A backbone whose inputs are embeddings already.
 * @throws INVALID_ARGUMENT for a name that is no text, a dimension that is no positive integer, no taps, or more numbers than above
 */
export function readyEmbeddings(options: ReadyEmbeddingsOptions): Backbone<ReadyEmbedding> {
  const { name, dim, taps = ['embedding'], sameClass } = requireOptions(options);
  if (typeof name !== 'string' || name === '') throw expected('name', 'a text that is not empty', name);
  if (!Number.isSafeInteger(dim) || dim < 1) throw expected('dim', 'a positive integer', dim);
  if (!isNames(taps)) throw expected('taps', 'a list of at least one tap name', taps);
  if (dim > MOST_DIM) {
    throw expected(
      'dim',
      `at most ${MOST_DIM}`,
      dim,
      'Project the embeddings to fewer numbers, as by principal components.',
    );
  }
  if (dim * taps.length > MOST_WIDTH) {
    throw expected('taps x dim', `at most ${MOST_WIDTH}`, dim * taps.length, 'Keep fewer taps.');
  }
  if (sameClass !== undefined) parseSameClass(new FieldReader(sameClass, 'sameClass', 'readyEmbeddings'));
  const digest = sha256Hex(utf8Encode(JSON.stringify(['ready-embeddings', name, dim, taps])));
  const identity: BackboneIdentity = { name, sha256: digest, dim, taps };
  return {
    identity,
    device: 'none (embeddings are ready)',
    ...(sameClass && { sameClass }),
    async *embed(inputs, options) {
      let index = 0;
      for await (const input of untilAborted(inputs, options?.signal)) {
        yield embedded(input, index++, dim * taps.length);
      }
    },
    ready: (input) => checked(input, 0, dim * taps.length),
    dispose: () => Promise.resolve(),
  };
}

/** The items; where the signal aborts, its reason, also while an asynchronous source is waited for, which is then told to end. */
async function* untilAborted<T>(
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignalLike | undefined,
): AsyncGenerator<T, void, undefined> {
  if (signal === undefined || !(Symbol.asyncIterator in items)) {
    for await (const item of items) {
      signal?.throwIfAborted();
      yield item;
    }
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  let stop: () => void = () => undefined;
  const onAbort = (): void => stop();
  signal.addEventListener?.('abort', onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await new Promise<IteratorResult<T>>((resolve, reject) => {
        stop = () => reject(signal.reason as Error);
        iterator.next().then(resolve, reject);
      });
      signal.throwIfAborted();
      if (done === true) return;
      yield value;
    }
  } finally {
    signal.removeEventListener?.('abort', onAbort);
    const ended = Promise.resolve(iterator.return?.()).catch(() => undefined);
    // A source that hangs would hang here too.
    if (signal.aborted !== true) await ended;
  }
}

function isNames(taps: unknown): boolean {
  return Array.isArray(taps) && taps.length > 0 && taps.every((name) => typeof name === 'string');
}

function embedded(input: ReadyEmbedding, index: number, width: number): Embedded {
  const { id, source } = (input as Partial<ReadyEmbedding> | null | undefined) ?? {};
  let own: Float32Array<ArrayBuffer>;
  try {
    own = new Float32Array(checked(input, index, width));
    requireText(id, 'id');
    requireText(source, 'source');
  } catch (error) {
    return { index, source: typeof source === 'string' ? source : undefined, error: error as ImprintError };
  }
  const digest = (): string => sha256Hex(new Uint8Array(own.buffer)).slice(0, 16);
  // A digest takes longer than a small classifier's answer, which needs none.
  let known = id;
  return {
    index,
    source,
    embedding: own,
    get id() {
      return (known ??= digest());
    },
  };
}

function checked(input: ReadyEmbedding, index: number, width: number): Float32Array {
  const embedding: unknown = (input as ReadyEmbedding | null | undefined)?.embedding;
  const isFloats = isTagged(embedding, 'Float32Array');
  if (isFloats && (embedding as Float32Array).length === width) return embedding as Float32Array;
  throw new ImprintError(
    'INVALID_EMBEDDING',
    `Expected a Float32Array of ${width} values for input ${index}, got ${isFloats ? `${(embedding as Float32Array).length} values` : describe(embedding)}.`,
  );
}
