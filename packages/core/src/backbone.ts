/** The contract of a backbone: inputs (photos, mostly) become embeddings, one vector for each tap. */

import type { AbortSignalLike } from './platform.ts';
import type { ImprintError } from './errors.ts';

export type Resample = 'bicubic' | 'bilinear';

/** How a decoded picture becomes the model's input: shorter side to `resize`, centre crop `size`, `/255`, `(x - mean) / std`. */
export interface Preprocessing {
  /** Side of the square that the model sees, in pixels. */
  readonly size: number;
  /** Length of the picture's shorter side before the centre crop, in pixels; at least `size`. */
  readonly resize: number;
  readonly resample: Resample;
  /** Mean by channel (red, green, blue), in the range 0 to 1. */
  readonly mean: readonly [number, number, number];
  /** Standard deviation by channel, in the range 0 to 1. */
  readonly std: readonly [number, number, number];
}

/** What a snapshot remembers of its backbone. Two backbones are the same when `sha256`, `dim`, `taps` and `preprocessing` are. */
export interface BackboneIdentity {
  readonly name: string;
  /** SHA-256 of the model's bytes, 64 hex digits. */
  readonly sha256: string;
  /** Numbers in one tap's vector. */
  readonly dim: number;
  /** Tap names, first the best single embedding. An embedding holds `taps.length * dim` numbers, side by side. */
  readonly taps: readonly string[];
  /** Absent where the input is no picture (text, audio, ready embeddings). */
  readonly preprocessing?: Preprocessing;
}

/**
 * How alike pictures of one class are to a backbone, measured on classes that are not the classifier's: what is known while its own
 * examples are few.
 */
export interface SameClassCosines {
  /** Ascending, between 0 and 1; two or more. */
  readonly shares: readonly number[];
  /** By the number of examples behind a class mean, ascending from 1. */
  readonly byExamples: readonly {
    readonly examples: number;
    /** The cosine of first taps to such a mean that each share of the class's other pictures stays below; ascending. */
    readonly cosines: readonly number[];
  }[];
}

/** One input's result, in input order: an embedding, or the reason why there is none. */
export type Embedded =
  | {
      readonly index: number;
      /** First 16 hex digits of the input bytes' sha256. */
      readonly id: string;
      /** The file's base name, where the input has one. */
      readonly source: string | undefined;
      /** Float32Array, taps x dim, row-major, not normalised; the receiver owns it. */
      readonly embedding: Float32Array;
    }
  | { readonly index: number; readonly source: string | undefined; readonly error: ImprintError };

export interface EmbedOptions {
  readonly signal?: AbortSignalLike;
}

export interface Backbone<Input> {
  readonly identity: BackboneIdentity;
  /** Where it runs, in words for a person: `cpu (cuda: not installed; webgpu: no adapter)`. */
  readonly device: string;
  /** Absent where it was not measured: then few examples can call few inputs unknown. */
  readonly sameClass?: SameClassCosines;
  /**
   * Embeds inputs as they come, decoding and inferring in step; yields one result an input, in input order.
   * An input that cannot be read yields its error and the stream goes on. Throws when the backbone itself fails,
   * when `signal` aborts (its reason), or with `DISPOSED` after `dispose`.
   */
  embed(inputs: Iterable<Input> | AsyncIterable<Input>, options?: EmbedOptions): AsyncIterable<Embedded>;
  /**
   * The embedding of an input that needs no waiting for, not copied: a single one is then classified without a turn of the event loop.
   * Absent where there is anything to wait for. @throws what `embed` yields as the input's error
   */
  ready?(input: Input): Float32Array;
  /** Frees the model. Idempotent. Calls under way end with `DISPOSED`. */
  dispose(): Promise<void>;
}
