/** Any transformers.js pipeline or model as a backbone: pictures, text or sound, whatever it turns into vectors. */

import type { Backbone, BackboneIdentity, Embedded } from './backbone.ts';
import { describe, expected, ImprintError } from './errors.ts';
import { utf8Encode } from './platform.ts';
import { sha256Hex } from './sha256.ts';

/** The part of a transformers.js Tensor that is read; @huggingface/transformers and @xenova/transformers have it alike. */
export interface TensorLike {
  readonly data: ArrayLike<number | bigint>;
  readonly dims: readonly number[];
}

/** What a feature-extraction pipeline, or a model, answers: a tensor, or an object that holds one. */
export type FeatureOutput = TensorLike | Readonly<Record<string, unknown>>;

/**
 * A pipeline (`await pipeline('feature-extraction', ...)`, `'image-feature-extraction'`), or a function around a model:
 * `async (input) => model(await processor(input))`.
 */
export type FeatureExtractor<Input> = (input: Input, options?: Record<string, unknown>) => Promise<FeatureOutput>;

export interface TransformersOptions<Input> {
  /** Says which model it is, with its revision where that matters: two classifiers can be merged when it agrees. */
  readonly name: string;
  /** Numbers in a token. Default: `hidden_size` of the pipeline's model, where it has one. */
  readonly dim?: number;
  /** Vectors taken from the tokens, each a tap: the class token, their mean. Default: the mean. */
  readonly taps?: readonly ('cls' | 'mean')[];
  /** Tokens that the mean leaves out at the start (a class token). Default 0. */
  readonly prefixTokens?: number;
  /** Passed to every call of the pipeline. */
  readonly pipelineOptions?: Record<string, unknown>;
  /** SHA-256 of the model's file, where known. Default: that of `name`, `dim`, `taps` and the options. */
  readonly sha256?: string;
  /** An input's id. Default: 16 hex digits of the SHA-256 of its text, bytes, samples or pixels. */
  readonly idOf?: (input: Input) => string;
  readonly sourceOf?: (input: Input) => string | undefined;
}

/** Outputs that hold the vectors, by the names that models give them, best first. */
const OUTPUT_NAMES = ['last_hidden_state', 'image_embeds', 'text_embeds', 'embeddings', 'pooler_output', 'logits'];

function isTensor(value: unknown): value is TensorLike {
  const { data, dims } = (value ?? {}) as Partial<TensorLike>;
  return (
    typeof data?.length === 'number' &&
    Array.isArray(dims) &&
    dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
  );
}

function tensorOf(output: FeatureOutput): TensorLike {
  if (isTensor(output)) return output;
  for (const name of OUTPUT_NAMES) {
    const candidate = (output as Record<string, unknown> | null)?.[name];
    if (isTensor(candidate)) return candidate;
  }
  throw new ImprintError(
    'INVALID_EMBEDDING',
    `Expected a tensor with data and dims from the pipeline, got ${describe(output)}. Pass a feature-extraction or image-feature-extraction pipeline, or a function that returns one of ${OUTPUT_NAMES.join(', ')}.`,
  );
}

/** `hidden_size` of the pipeline's model, also of its picture's tower. */
function hiddenSize(pipeline: unknown): unknown {
  const config = (pipeline as { model?: { config?: Record<string, unknown> } }).model?.config;
  const vision = config?.['vision_config'] as Record<string, unknown> | undefined;
  return config?.['hidden_size'] ?? vision?.['hidden_size'];
}

/** The bytes that an input is made of: text, typed arrays, and pictures that hold theirs in `data`. */
function contentOf(input: unknown): Uint8Array | undefined {
  if (typeof input === 'string') return utf8Encode(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  const { data, width } = (input ?? {}) as { data?: unknown; width?: unknown };
  // The width tells two pictures of the same pixels in other shapes apart.
  if (ArrayBuffer.isView(data)) {
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const header = utf8Encode(`${String(width)}:`);
    const bytes = new Uint8Array(header.length + pixels.length);
    bytes.set(header);
    bytes.set(pixels, header.length);
    return bytes;
  }
  return undefined;
}

/**
 * Pools one input's tokens.
 * @returns Float32Array, taps x dim; the caller owns it
 */
function pool(tensor: TensorLike, dim: number, taps: readonly ('cls' | 'mean')[], prefixTokens: number): Float32Array {
  const { data, dims } = tensor;
  const shape = dims.join(' x ');
  const tokens = dims.length === 2 ? 1 : dims[1];
  if (dims[0] !== 1 || dims.at(-1) !== dim || dims.length < 2 || dims.length > 3 || data.length !== tokens * dim) {
    throw new ImprintError(
      'INVALID_EMBEDDING',
      `Expected 1 x tokens x ${dim} or 1 x ${dim} from the pipeline, got ${shape}. Pass the dim that the model has.`,
    );
  }
  // A pooled vector is one tap, whatever it is called.
  const first = dims.length === 2 ? 0 : prefixTokens;
  if (tokens <= first || (dims.length === 2 && taps.length > 1)) {
    throw new ImprintError(
      'INVALID_EMBEDDING',
      `Expected more than ${first} tokens for ${taps.join(' and ')}, got ${shape}. Ask the pipeline for all tokens (pooling: 'none').`,
    );
  }
  const embedding = new Float32Array(taps.length * dim);
  taps.forEach((tap, at) => {
    for (let d = 0; d < dim; d++) {
      let sum = 0;
      if (tap === 'cls') sum = Number(data[d]);
      else {
        for (let token = first; token < tokens; token++) sum += Number(data[token * dim + d]);
        sum /= tokens - first;
      }
      embedding[at * dim + d] = sum;
    }
  });
  return embedding;
}

/**
 * Makes a backbone of a transformers.js pipeline, taken by its shape: core depends on neither version of the library.
 *
 * Inputs go one at a time, so that an embedding never depends on the padding of its company. The pipeline stays the
 * caller's: `dispose` does not free it. An input that the pipeline throws for yields that error, and the stream goes on.
 * @throws INVALID_ARGUMENT where `dim` is neither given nor known to the pipeline's model, or the name is empty
 */
export function fromTransformersPipeline<Input = unknown>(
  pipeline: FeatureExtractor<Input>,
  options: TransformersOptions<Input>,
): Backbone<Input> {
  const { name, taps = ['mean'], prefixTokens = 0, pipelineOptions = {}, idOf, sourceOf } = options;
  if (typeof pipeline !== 'function') throw expected('pipeline', 'a pipeline or a function', pipeline);
  if (typeof name !== 'string' || name === '') throw expected('name', "the model's name", name);
  const dim = options.dim ?? hiddenSize(pipeline);
  if (!(Number.isSafeInteger(dim) && (dim as number) > 0)) {
    throw expected('dim', 'a positive integer', dim, "The pipeline's model does not tell it: pass { dim }.");
  }
  const width = dim as number;
  if (
    taps.length === 0 ||
    new Set(taps).size !== taps.length ||
    !taps.every((tap) => tap === 'cls' || tap === 'mean')
  ) {
    throw expected('taps', "'cls', 'mean' or both", taps);
  }
  const described = JSON.stringify(['transformers.js', name, width, taps, prefixTokens, pipelineOptions]);
  const identity: BackboneIdentity = {
    name,
    sha256: options.sha256 ?? sha256Hex(utf8Encode(described)),
    dim: width,
    taps: [...taps],
  };
  let isDisposed = false;
  const requireLive = (): void => {
    if (isDisposed)
      throw new ImprintError(
        'DISPOSED',
        `Expected a live backbone, got ${name} after dispose. Make another with fromTransformersPipeline.`,
      );
  };

  async function embedOne(input: Input, index: number): Promise<Embedded> {
    const source = sourceOf?.(input);
    const content = idOf ? undefined : contentOf(input);
    if (!idOf && content === undefined) {
      const error = expected(
        `input ${index}`,
        'text, a typed array, or a picture with data',
        input,
        'For other inputs pass { idOf }.',
      );
      return { index, source, error };
    }
    const id = idOf ? idOf(input) : sha256Hex(content as Uint8Array).slice(0, 16);
    let output: FeatureOutput;
    try {
      output = await pipeline(input, pipelineOptions);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      const error = new ImprintError(
        'FILE_UNREADABLE',
        `Expected ${name} to take input ${index}, got "${message}". Check the input.`,
        { cause },
      );
      return { index, source, error };
    }
    return { index, id, source, embedding: pool(tensorOf(output), width, taps, prefixTokens) };
  }

  return {
    identity,
    device: 'transformers.js, on the device of its pipeline',
    async *embed(inputs, { signal } = {}) {
      let index = 0;
      for await (const input of inputs) {
        signal?.throwIfAborted();
        requireLive();
        const embedded = await embedOne(input, index++);
        requireLive();
        yield embedded;
      }
    },
    dispose() {
      isDisposed = true;
      return Promise.resolve();
    },
  };
}
