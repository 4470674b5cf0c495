/** Proposes a manifest for a model that came without one: taps by walking its residual stream, the rest from its graph. */

import { findResidualStream, ImprintError, pictureInput } from '@imprint/core';
import type { ManifestInput, ManifestOutput, OnnxGraph, OnnxValue, Preprocessing, TensorTap } from '@imprint/core';

/** What ImageNet models are fed where nobody says otherwise: torchvision's and timm's evaluation transform. */
const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
const IMAGENET_STD = [0.229, 0.224, 0.225] as const;
const DEFAULT_SIZE = 224;

/** Outputs by which exporters name the tokens of the last layer, and pooled vectors, best first. */
const TOKEN_OUTPUTS = ['last_hidden_state', 'features', 'tokens'];
const POOLED_OUTPUTS = [
  'image_embeds',
  'pooler_output',
  'embedding',
  'embeddings',
  'cls_token',
  'pooled',
  'unicom_embeds',
];

const FLOAT_TYPES = [0, 1, 10];

export interface ProposeOptions {
  /** Taken instead of the ImageNet defaults. */
  readonly preprocessing?: Preprocessing;
  /** Numbers in a token, where the caller knows (config.json says `hidden_size`). */
  readonly dim?: number;
  /** `all` depths that measurably help (default), or only the `last`. */
  readonly taps?: 'all' | 'last';
  /** How the last layer alone makes the best single embedding. Default: the class token where there is one, else the mean. */
  readonly pooling?: 'cls' | 'mean' | 'cls+mean';
  /** An output that serves as it is, batch x dim; then there are no other taps. */
  readonly tensor?: string;
}

export interface Proposal {
  readonly input: ManifestInput;
  readonly output: ManifestOutput;
  /** What was assumed or could not be had, a sentence each. */
  readonly notes: readonly string[];
}

/** The numbers of a shape's last dimension, where it is fixed. */
function lastDim(value: OnnxValue | undefined): number | undefined {
  const last = value?.shape?.at(-1);
  return typeof last === 'number' ? last : undefined;
}

function findOutput(graph: OnnxGraph, names: readonly string[], rank: number): OnnxValue | undefined {
  const fits = (output: OnnxValue): boolean =>
    FLOAT_TYPES.includes(output.elementType) && output.shape?.length === rank;
  for (const name of names) {
    const output = graph.outputs.find((candidate) => candidate.name === name);
    if (output && (output.shape === undefined || fits(output))) return output;
  }
  return graph.outputs.find(fits);
}

function proposeInput(graph: OnnxGraph, options: ProposeOptions, notes: string[]): ManifestInput {
  const name = pictureInput(graph);
  const input = graph.inputs.find((candidate) => candidate.name === name);
  if (name === undefined || input === undefined) {
    const found = graph.inputs
      .map((candidate) => `${candidate.name} [${candidate.shape?.join(', ') ?? '?'}]`)
      .join('; ');
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected an input of batch x 3 x height x width in the model, found ${found || 'none'}. For text or audio, wrap a transformers.js pipeline with fromTransformersPipeline.`,
    );
  }
  if (input.elementType !== 1 && input.elementType !== 0) {
    throw new ImprintError(
      'UNSUPPORTED',
      `Expected float32 for the model's input "${name}", got ONNX element type ${input.elementType}. Export it with float32 inputs and outputs (keep_io_types=True).`,
    );
  }
  const fixed = input.shape?.[2];
  if (options.preprocessing) {
    if (typeof fixed === 'number' && fixed !== options.preprocessing.size) {
      throw new ImprintError(
        'BACKBONE_INVALID',
        `Expected pictures of ${fixed} pixels, as the model's input "${name}" says, got ${options.preprocessing.size} from its preprocessing. Correct preprocessor_config.json.`,
      );
    }
    return { name, ...options.preprocessing };
  }
  const size = typeof fixed === 'number' && fixed > 0 ? fixed : DEFAULT_SIZE;
  // 224 / 256, the share of the shorter side that ImageNet's evaluation crop keeps.
  const resize = Math.round(size / 0.875);
  notes.push(
    `Preprocessing is assumed, the file does not say it: shorter side ${resize}, centre crop ${size}, bicubic, ImageNet's mean and standard deviation. Put a manifest.json beside the model to say otherwise.`,
  );
  return { name, size, resize, resample: 'bicubic', mean: IMAGENET_MEAN, std: IMAGENET_STD };
}

/** The tensors that taps of a stream come from: what each block leaves, and the best of the last layer. */
interface Depths {
  readonly blocks: readonly string[];
  readonly prefixTokens: number;
  /** Tokens of the last layer, normalised where the graph has them so. */
  readonly last: string;
  /** A vector of the last layer that is pooled already, of the same dim. */
  readonly pooled: string | undefined;
}

/**
 * Design 4's taps for a transformer of `depth` blocks: class token of the last four blocks, patch mean of the last, the
 * third from last and the fifth from last. Without class token: the model's own pooled vector, patch mean of the last,
 * and of every second block before it.
 */
function depthTaps(depths: Depths, pooling: ProposeOptions['pooling']): TensorTap[] {
  const { blocks, prefixTokens, last, pooled } = depths;
  const depth = blocks.length;
  const tap = (kind: 'cls' | 'mean', back: number): TensorTap => {
    const name = `${kind}${depth - back}`;
    if (kind === 'cls' && back === 0 && pooled !== undefined) return { name, tensor: pooled, pooling: 'none' };
    const tensor = back === 0 ? last : blocks[depth - 1 - back];
    return kind === 'cls' ? { name, tensor, pooling: kind } : { name, tensor, pooling: kind, prefixTokens };
  };
  const inRange = (back: number): boolean => back < depth;
  if (prefixTokens === 0) {
    const means = [0, 2, 4, 6].filter(inRange).map((back) => tap('mean', back));
    return pooled === undefined ? means : [{ name: 'pooled', tensor: pooled, pooling: 'none' }, ...means];
  }
  const cls = [0, 1, 2, 3].filter(inRange).map((back) => tap('cls', back));
  const mean = [0, 2, 4].filter(inRange).map((back) => tap('mean', back));
  return pooling === 'mean' ? [...mean, ...cls] : [...cls, ...mean];
}

function lastLayerTaps(tensor: string, prefixTokens: number, pooling: ProposeOptions['pooling']): TensorTap[] {
  const cls: TensorTap = { name: 'cls', tensor, pooling: 'cls' };
  const mean: TensorTap = { name: 'mean', tensor, pooling: 'mean', prefixTokens };
  if (prefixTokens === 0) return [mean];
  return pooling === 'mean' ? [mean] : pooling === 'cls' ? [cls] : [cls, mean];
}

/**
 * Proposes input and taps of a Vision Transformer, or of any network with a pooled output.
 * @throws BACKBONE_INVALID where the graph has no picture input, or no output that could be an embedding
 */
export function proposeManifest(graph: OnnxGraph, options: ProposeOptions = {}): Proposal {
  const notes: string[] = [];
  const input = proposeInput(graph, options, notes);
  const stacked = graph.outputs.find(
    (output) => output.name === 'taps' && output.elementType === 1 && output.shape?.length === 3,
  );
  const [, count, width] = stacked?.shape ?? [];
  if (stacked && typeof count === 'number' && typeof width === 'number' && options.taps !== 'last') {
    const taps = Array.from({ length: count }, (_, i) => ({ name: `tap${i + 1}` }));
    return { input, output: { name: 'taps', taps, dim: width }, notes };
  }

  if (options.tensor !== undefined) {
    const dim = options.dim ?? lastDim(graph.outputs.find((output) => output.name === options.tensor));
    if (dim === undefined)
      throw new ImprintError(
        'BACKBONE_INVALID',
        `Expected a fixed dim of "${options.tensor}", got none. Name it in the manifest.`,
      );
    return { input, output: { taps: [{ name: 'pooled', tensor: options.tensor, pooling: 'none' }], dim }, notes };
  }

  const stream = findResidualStream(graph);
  const tokens = findOutput(graph, TOKEN_OUTPUTS, 3);
  const dim = options.dim ?? stream?.dim ?? lastDim(tokens);
  if (stream && dim !== undefined) {
    const { blocks, prefixTokens, final } = stream;
    const isOutput = tokens !== undefined && (lastDim(tokens) ?? dim) === dim;
    const normed = final?.isClassToken === false ? final.tensor : undefined;
    const last = isOutput ? tokens.name : (normed ?? blocks[blocks.length - 1]);
    if (!isOutput && normed === undefined) {
      notes.push(
        'The tokens of the last layer are taken before a final normalisation: the graph has none that was recognised.',
      );
    }
    const output = graph.outputs.find(
      (candidate) => POOLED_OUTPUTS.includes(candidate.name) && lastDim(candidate) === dim,
    );
    const pooled = final?.isClassToken ? final.tensor : prefixTokens === 0 ? output?.name : undefined;
    const taps =
      options.taps === 'last'
        ? lastLayerTaps(last, prefixTokens, options.pooling)
        : depthTaps({ blocks, prefixTokens, last, pooled }, options.pooling);
    return { input, output: { taps, dim }, notes };
  }

  notes.push('No residual stream of a transformer was found in the graph: only its last layer serves as embedding.');
  if (tokens && dim !== undefined) {
    notes.push('One class token before the patches is assumed.');
    return { input, output: { taps: lastLayerTaps(tokens.name, 1, options.pooling), dim }, notes };
  }
  const pooled = findOutput(graph, POOLED_OUTPUTS, 2);
  const pooledDim = lastDim(pooled);
  if (pooled && pooledDim !== undefined) {
    return {
      input,
      output: { taps: [{ name: 'pooled', tensor: pooled.name, pooling: 'none' }], dim: pooledDim },
      notes,
    };
  }
  const found = graph.outputs.map((output) => `${output.name} [${output.shape?.join(', ') ?? '?'}]`).join('; ');
  throw new ImprintError(
    'BACKBONE_INVALID',
    `Expected an output of batch x tokens x dim or batch x dim with a fixed dim, found ${found || 'none'}. Write a manifest.json that names the tensor and its dim.`,
  );
}
