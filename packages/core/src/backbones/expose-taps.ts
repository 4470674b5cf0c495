/** Makes a model's taps its outputs and states its identity: the common end of every way to a model. */

import type { BackboneIdentity } from '../backbone.ts';
import { ImprintError } from '../errors.ts';
import { addGraphOutputs } from '../onnx/add-graph-outputs.ts';
import { readModelGraph, type OnnxGraph } from '../onnx/read-model-graph.ts';
import { identityOf, type Manifest } from './manifest.ts';

export interface ReadyModel {
  /** Names the outputs of `bytes`: taps that are inner tensors of the file are outputs of `bytes` under a name of their own. */
  readonly manifest: Manifest;
  /** The model for ONNX Runtime, with its taps exposed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `sha256` is that of the file, before taps were exposed. */
  readonly identity: BackboneIdentity;
}

/**
 * Exposes the taps that `manifest` names.
 * @param bytes the model file; `sha256` is its digest, 64 hex digits
 * @param known its graph, where it was read already
 * @throws BACKBONE_INVALID where the bytes are no ONNX model, or lack the manifest's input or a tap's tensor
 */
export function exposeTaps(
  manifest: Manifest,
  bytes: Uint8Array<ArrayBuffer>,
  sha256: string,
  known?: OnnxGraph,
): ReadyModel {
  const graph = known ?? readModelGraph(bytes);
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
  const identity = identityOf(manifest, sha256);
  return { manifest: ready, bytes: edited.bytes as Uint8Array<ArrayBuffer>, identity };
}
