/**
 * Finds the residual stream of a Vision Transformer in its ONNX graph: the chain of additions `x + branch(x)` that runs
 * through every block, so that the tokens of any depth can become an output (design 4).
 */

import { WireReader } from './wire.ts';
import type { OnnxGraph, OnnxNode } from './read-model-graph.ts';
import { topologicalOrder } from './topological-order.ts';

export interface ResidualStream {
  /** The tensor after each block, first to last: batch x tokens x dim, not normalised. */
  readonly blocks: readonly string[];
  /** The last block's tokens after the final normalisation, or only the normalised class token, where the graph has one. */
  readonly final: { readonly tensor: string; readonly isClassToken: boolean } | undefined;
  /** Tokens before the first patch (class token, registers); 0 where all tokens are patches. */
  readonly prefixTokens: number;
  /** Numbers in a token, where the graph's weights tell. */
  readonly dim: number | undefined;
}

/** Operators that hand a tensor on without computing anything new. */
const TRANSPARENT = new Set(['Identity', 'Dropout', 'Cast']);
const ATTENTION = new Set(['Softmax', 'Attention', 'MultiHeadAttention', 'GroupQueryAttention']);
/** What is read from these is a size, not the picture. */
const SIZE_ONLY = new Set(['Shape', 'Size']);

/** Visits of nodes that the search may spend; real models take less than ten a node. */
const VISITS_PER_NODE = 50;

interface Step {
  readonly previous: string;
  readonly isAttention: boolean;
}

class Search {
  readonly graph: OnnxGraph;
  readonly nodes: readonly OnnxNode[];
  /** Index of the node that produces a tensor. */
  readonly producer = new Map<string, number>();
  private visitsLeft: number;

  constructor(graph: OnnxGraph) {
    this.graph = graph;
    this.nodes = topologicalOrder(graph.nodes);
    this.visitsLeft = 1000 + VISITS_PER_NODE * this.nodes.length;
    this.nodes.forEach((node, index) => node.outputs.forEach((output) => this.producer.set(output, index)));
  }

  /** Spends one visit; false when the search has gone on for too long, which only a hostile graph does. */
  spend(): boolean {
    return this.visitsLeft-- > 0;
  }

  node(tensor: string): OnnxNode | undefined {
    const index = this.producer.get(tensor);
    return index === undefined ? undefined : this.nodes[index];
  }

  /** `tensor` with the operators before it that only hand it on taken away. */
  source(tensor: string): string {
    let current = tensor;
    for (
      let node = this.node(current);
      node && TRANSPARENT.has(node.opType) && this.spend();
      node = this.node(current)
    ) {
      current = node.inputs[0];
    }
    return current;
  }

  /** The operators between `ancestor` and `tensor`, or undefined where the one does not lead to the other. */
  between(ancestor: string, tensor: string): Set<string> | undefined {
    const first = this.producer.get(ancestor) ?? -1;
    const operators = new Set<string>();
    const seen = new Set<number>();
    const open = [tensor];
    let found = false;
    for (let current = open.pop(); current !== undefined && this.spend(); current = open.pop()) {
      if (current === ancestor) {
        found = true;
        continue;
      }
      const index = this.producer.get(current);
      // Nodes are in topological order: what stands before the ancestor cannot come from it.
      if (index === undefined || index <= first || seen.has(index)) continue;
      seen.add(index);
      const node = this.nodes[index];
      operators.add(node.opType);
      if (!SIZE_ONLY.has(node.opType)) for (const input of node.inputs) open.push(input);
    }
    return found ? operators : undefined;
  }

  /** Reads `node` as `x + branch(x)`. */
  step(node: OnnxNode): Step | undefined {
    if (node.opType !== 'Add' || node.inputs.length !== 2) return undefined;
    const [a, b] = node.inputs.map((input) => this.source(input));
    if (a === b) return undefined;
    for (const [previous, branch] of [
      [a, b],
      [b, a],
    ]) {
      if (!this.producer.has(previous)) continue;
      const operators = this.between(previous, branch);
      if (operators) return { previous, isAttention: [...operators].some((operator) => ATTENTION.has(operator)) };
    }
    return undefined;
  }
}

/** Tensors that hold something of the picture in `input`, sizes aside. */
function tensorsFrom(nodes: readonly OnnxNode[], input: string): Set<string> {
  const reached = new Set([input]);
  for (const node of nodes) {
    if (SIZE_ONLY.has(node.opType) || !node.inputs.some((name) => reached.has(name))) continue;
    for (const output of node.outputs) if (output !== '') reached.add(output);
  }
  return reached;
}

/** The integer attribute `name` of a node; undefined where it has none. */
export function intAttributeOf(graph: OnnxGraph, node: OnnxNode, name: string): number | undefined {
  const reader = new WireReader(graph.bytes, node.start, node.end);
  while (reader.next()) {
    if (reader.field !== 5) {
      reader.skip();
      continue;
    }
    const attribute = reader.message();
    let found = '';
    let value: number | undefined;
    while (attribute.next()) {
      if (attribute.field === 1) found = attribute.text();
      else if (attribute.field === 3) value = attribute.int();
      else attribute.skip();
    }
    if (found === name) return value;
  }
  return undefined;
}

/** Dimensions of the first weight of rank 3 that `tensor` is made of. */
function tokenWeight(search: Search, tensor: string): readonly number[] | undefined {
  const open = [tensor];
  const seen = new Set<string>();
  for (let current = open.pop(); current !== undefined && search.spend(); current = open.pop()) {
    if (seen.has(current)) continue;
    seen.add(current);
    const dims = search.graph.initializers.get(current)?.dims;
    if (dims?.length === 3) return dims;
    const node = search.node(current);
    if (node && !SIZE_ONLY.has(node.opType)) for (const input of node.inputs.toReversed()) open.push(input);
  }
  return undefined;
}

/** Counts the tokens that are put before the patches: the Concat on the way from the picture to the first block. */
function countPrefix(
  search: Search,
  start: string,
  fromPicture: Set<string>,
): { tokens: number; dim: number | undefined } {
  let tokens = 0;
  let dim: number | undefined;
  const open = [start];
  const seen = new Set<string>();
  for (let current = open.pop(); current !== undefined && search.spend(); current = open.pop()) {
    if (seen.has(current) || !fromPicture.has(current)) continue;
    seen.add(current);
    const node = search.node(current);
    if (node === undefined) continue;
    if (node.opType === 'Concat' && [1, -2].includes(intAttributeOf(search.graph, node, 'axis') ?? NaN)) {
      for (const input of node.inputs) {
        if (fromPicture.has(input)) continue;
        const dims = tokenWeight(search, input);
        tokens += dims?.[1] ?? 1;
        dim ??= dims?.[2];
      }
    }
    for (const input of node.inputs) open.push(input);
  }
  return { tokens, dim };
}

/** The graph's nodes by the tensors that they read, operators that only hand on taken away. */
function readersOf(search: Search): Map<string, OnnxNode[]> {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of search.nodes) {
    if (TRANSPARENT.has(node.opType)) continue;
    for (const input of new Set(node.inputs.map((name) => search.source(name)))) {
      const list = readers.get(input);
      if (list) list.push(node);
      else readers.set(input, [node]);
    }
  }
  return readers;
}

/** The operators that older exports write for one LayerNormalization, from the centred values on. */
const SPELLED_OUT = ['Sub', 'Div', 'Mul', 'Add'];

/** The tensor that `tensor` becomes by normalisation, as one operator or spelled out. */
function normalised(readers: Map<string, OnnxNode[]>, tensor: string): string | undefined {
  const direct = readers.get(tensor)?.find((node) => node.opType === 'LayerNormalization');
  if (direct) return direct.outputs[0];
  let current = tensor;
  for (const operator of SPELLED_OUT) {
    const next = readers.get(current)?.find((node) => node.opType === operator);
    if (next === undefined) return undefined;
    current = next.outputs[0];
  }
  return current;
}

/** Numbers in a token: the length of the weights of a normalisation that reads the stream. */
function findDim(search: Search, readers: Map<string, OnnxNode[]>, stream: readonly string[]): number | undefined {
  for (const tensor of stream) {
    const output = normalised(readers, tensor);
    const node = output === undefined ? undefined : search.node(output);
    for (const input of node?.inputs ?? []) {
      const dims = search.graph.initializers.get(input)?.dims;
      if (dims?.length === 1) return dims[0];
    }
  }
  return undefined;
}

function findFinal(graph: OnnxGraph, readers: Map<string, OnnxNode[]>, last: string): ResidualStream['final'] {
  const tokens = normalised(readers, last);
  if (tokens !== undefined) return { tensor: tokens, isClassToken: false };
  // CLIP takes the class token first and normalises it alone.
  for (const gather of readers.get(last) ?? []) {
    // A list of indices would keep the axis of tokens; a single index drops it.
    if (gather.opType !== 'Gather' || graph.initializers.get(gather.inputs[1])?.dims.length) continue;
    const token = normalised(readers, gather.outputs[0]);
    if (token !== undefined) return { tensor: token, isClassToken: true };
  }
  return undefined;
}

/** The graph's picture: its input of rank 4, or the one called `pixel_values`. */
export function pictureInput(graph: OnnxGraph): string | undefined {
  const named = graph.inputs.find((input) => input.name === 'pixel_values');
  return (named ?? graph.inputs.find((input) => input.shape?.length === 4))?.name;
}

/**
 * Walks the residual stream of the longest tower that the picture feeds.
 *
 * Every block of a transformer adds to one stream, first attention, then a multi-layer perceptron. An Add belongs to it
 * when one of its inputs is made from the other; a block ends before the next attention.
 *
 * @returns undefined where the graph has no such stream (a convolutional network, or operators fused beyond recognition)
 */
export function findResidualStream(graph: OnnxGraph): ResidualStream | undefined {
  const picture = pictureInput(graph);
  if (picture === undefined) return undefined;
  const search = new Search(graph);
  const fromPicture = tensorsFrom(search.nodes, picture);
  const inChain = new Set<OnnxNode>();
  let longest: { tensor: string; isAttention: boolean }[] = [];
  let start = '';
  for (let i = search.nodes.length - 1; i >= 0; i--) {
    const chain: { tensor: string; isAttention: boolean }[] = [];
    let node: OnnxNode | undefined = search.nodes[i];
    let first = '';
    while (node && !inChain.has(node) && fromPicture.has(node.outputs[0])) {
      const step = search.step(node);
      if (step === undefined) break;
      inChain.add(node);
      chain.push({ tensor: node.outputs[0], isAttention: step.isAttention });
      first = step.previous;
      node = search.node(step.previous);
    }
    if (chain.length > longest.length) {
      longest = chain.reverse();
      start = first;
    }
  }
  if (!longest.some((step) => step.isAttention)) return undefined;
  const blocks = longest
    .filter((_, i) => i === longest.length - 1 || longest[i + 1].isAttention)
    .map((step) => step.tensor);
  // Residual additions of a convolutional stem come before the first attention and are no blocks.
  const stem = longest.findIndex((step) => step.isAttention) > 0 ? 1 : 0;
  const prefix = countPrefix(search, start, fromPicture);
  const readers = readersOf(search);
  const dim = findDim(search, readers, [start, ...longest.map((step) => step.tensor)]) ?? prefix.dim;
  const final = findFinal(graph, readers, blocks[blocks.length - 1]);
  return { blocks: blocks.slice(stem), final, prefixTokens: prefix.tokens, dim };
}
