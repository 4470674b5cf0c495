/** What reading a backbone yields: its manifest, its bytes with the taps exposed, and its identity. */

import { addGraphOutputs, ImprintError, readModelGraph } from '@imprint/core';
import type { BackboneIdentity, OnnxGraph } from '@imprint/core';
import { preprocessingOf } from './manifest.ts';
import type { Progress } from './download-file.ts';
import type { Manifest } from './manifest.ts';
import type { Environment } from './model-cache.ts';
import type { FileContent } from './read-file.ts';

export interface ReadModelOptions {
  /** Which file where there are several: `fp32`, `fp16`, `int8`... Default: the manifest's own, else the most precise. */
  readonly precision?: string;
  /** Depths that become taps, where the manifest does not say: `all` (default) or the `last`. */
  readonly taps?: 'all' | 'last';
  readonly signal?: AbortSignal;
  /** Called while a hub backbone is downloaded. */
  readonly onProgress?: (progress: Progress) => void;
  /** Folder of downloaded backbones. Default: by XDG rules and IMPRINT_CACHE. */
  readonly cache?: string;
  /** Environment variables. Default: process.env. */
  readonly environment?: Environment;
}

export interface ModelContent {
  /** Names the outputs of `bytes`: taps that are inner tensors of the file are outputs of `bytes` under a name of their own. */
  readonly manifest: Manifest;
  /** The model for ONNX Runtime, with its taps exposed. The caller owns it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `sha256` is that of the file, before taps were exposed. */
  readonly identity: BackboneIdentity;
  /** Where the file lies. */
  readonly folder: string;
  /** What was assumed or is missing, a sentence each, for the person who chose the model. */
  readonly notes: readonly string[];
}

/** Exposes the taps and states the identity: the common end of every way to a model. */
export function finishModel(
  manifest: Manifest,
  content: FileContent,
  folder: string,
  notes: readonly string[],
  known?: OnnxGraph,
): ModelContent {
  const graph = known ?? readModelGraph(content.bytes);
  const { output, input } = manifest;
  if (!graph.inputs.some((candidate) => candidate.name === input.name)) {
    const found = graph.inputs.map((candidate) => candidate.name).join(', ');
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected an input "${input.name}" in the model of ${manifest.name}, found ${found}. Correct input.name in its manifest.`,
    );
  }
  const tensors = output.name === undefined ? output.taps.map((tap) => tap.tensor) : [output.name];
  const edited = addGraphOutputs(graph, tensors);
  const ready: Manifest = {
    ...manifest,
    output:
      output.name === undefined
        ? { dim: output.dim, taps: output.taps.map((tap, i) => ({ ...tap, tensor: edited.outputs[i] })) }
        : { ...output, name: edited.outputs[0] },
  };
  const identity: BackboneIdentity = {
    name: manifest.name,
    sha256: content.sha256,
    dim: output.dim,
    taps: output.taps.map((tap) => tap.name),
    preprocessing: preprocessingOf(manifest),
  };
  return { manifest: ready, bytes: edited.bytes as Uint8Array<ArrayBuffer>, identity, folder, notes };
}
