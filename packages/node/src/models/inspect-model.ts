/** Looks into an ONNX file: its inputs, outputs and blocks, and the manifest that would make it a backbone. */

import { basename } from 'node:path';
import { findResidualStream, ImprintError, readModelGraph } from '@imprint/core';
import type { AbortSignalLike, Manifest, OnnxValue, ResidualStream } from '@imprint/core';
import { proposeManifest } from './propose-manifest.ts';
import { readWithSha256 } from './read-file.ts';

export interface ModelInspection {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly numNodes: number;
  readonly opset: number | undefined;
  /** The transformer's blocks, where the graph has them. */
  readonly stream: ResidualStream | undefined;
  /** To be saved as manifest.json beside the file, once its licence and preprocessing are filled in; or why there is none. */
  readonly manifest: Manifest | undefined;
  readonly notes: readonly string[];
}

/**
 * Inspects the ONNX file at `path`.
 * @throws BACKBONE_NOT_FOUND, FILE_UNREADABLE, BACKBONE_INVALID for bytes that are no model, UNSUPPORTED for external data
 */
export async function inspectModel(path: string, options: { signal?: AbortSignalLike } = {}): Promise<ModelInspection> {
  const content = await readWithSha256(path, options.signal);
  const graph = readModelGraph(content.bytes);
  const shared = {
    inputs: graph.inputs,
    outputs: graph.outputs,
    numNodes: graph.nodes.length,
    opset: graph.opsets.get(''),
    stream: findResidualStream(graph),
  };
  try {
    const { input, output, notes } = proposeManifest(graph);
    const file = basename(path);
    const manifest: Manifest = {
      name: file.replace(/\.onnx$/i, ''),
      version: 1,
      file,
      sizeBytes: content.bytes.length,
      sha256: content.sha256,
      licence: 'not stated',
      input,
      output,
    };
    return { ...shared, manifest, notes };
  } catch (error) {
    if (!(error instanceof ImprintError)) throw error;
    return { ...shared, manifest: undefined, notes: [error.message] };
  }
}
