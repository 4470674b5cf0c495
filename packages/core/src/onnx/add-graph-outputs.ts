/** Makes inner tensors of a model its outputs by a byte-level edit: the graph's end grows, the weights are copied as they are. */

import { ImprintError } from '../errors.ts';
import { FLOAT, intAttribute, nodeProto, valueInfo } from './matmul-graph.ts';
import type { OnnxGraph } from './read-model-graph.ts';
import { concatBytes } from '../concat-bytes.ts';
import { messageField, varint } from './wire.ts';

/** The tag of ModelProto.graph: field 7, length-delimited. */
const GRAPH_TAG = 7 * 8 + 2;

/**
 * Adds `tensors` to the graph's outputs as float32, each through a Cast at the graph's end (a model in half precision
 * has half-precision tensors inside). Tensors that already are float32 outputs stay as they are.
 *
 * @returns the edited model (the caller owns it; the given bytes where nothing had to change), and for each tensor the
 *   name of the output that holds it, in the order of `tensors`
 * @throws BACKBONE_INVALID for a tensor that the graph does not have
 */
export function addGraphOutputs(
  graph: OnnxGraph,
  tensors: readonly string[],
): { bytes: Uint8Array; outputs: string[] } {
  const produced = new Set<string>();
  for (const node of graph.nodes) for (const output of node.outputs) produced.add(output);
  const taken = new Set([...produced, ...graph.initializers.keys(), ...graph.inputs.map((input) => input.name)]);
  const additions: Uint8Array[] = [];
  const names = new Map<string, string>();
  for (const tensor of tensors) {
    if (names.has(tensor)) continue;
    if (tensor === '' || !produced.has(tensor)) {
      throw new ImprintError(
        'BACKBONE_INVALID',
        `Expected a tensor that the model computes, got "${tensor}". \`imprint models inspect\` lists the tensors to choose from.`,
      );
    }
    if (graph.outputs.some((output) => output.name === tensor && output.elementType === FLOAT)) {
      names.set(tensor, tensor);
      continue;
    }
    let name = `${tensor}/tap`;
    while (taken.has(name)) name += '_';
    taken.add(name);
    names.set(tensor, name);
    // A ValueInfo without a shape: ONNX Runtime infers it.
    additions.push(messageField(1, nodeProto('Cast', [tensor], [name], [intAttribute('to', FLOAT)])));
    additions.push(messageField(12, valueInfo(name, FLOAT, undefined)));
  }
  const outputs = tensors.map((tensor) => names.get(tensor) as string);
  if (additions.length === 0) return { bytes: graph.bytes, outputs };
  const added = concatBytes(additions);
  const length = graph.contentEnd - graph.contentStart + added.length;
  const bytes = concatBytes([
    graph.bytes.subarray(0, graph.fieldStart),
    Uint8Array.of(GRAPH_TAG),
    varint(length),
    graph.bytes.subarray(graph.contentStart, graph.contentEnd),
    added,
    graph.bytes.subarray(graph.contentEnd),
  ]);
  return { bytes, outputs };
}
