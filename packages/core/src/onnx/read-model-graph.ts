/** Reads what an ONNX model is made of (inputs, outputs, weights, nodes) and leaves its weights where they lie. */

import { ImprintError } from '../errors.ts';
import { WireReader } from './wire.ts';

export interface OnnxValue {
  readonly name: string;
  /** TensorProto.DataType (1 float, 10 float16, 11 double), 0 where the graph does not say or it is no tensor. */
  readonly elementType: number;
  /** A number where fixed, a name where free, `?` where neither; undefined where the graph states no shape. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OnnxInitializer {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly number[];
  /** The TensorProto lies in the model's bytes at `[start, end)`. */
  readonly start: number;
  readonly end: number;
}

export interface OnnxNode {
  readonly opType: string;
  readonly domain: string;
  /** An empty name is an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The NodeProto lies in the model's bytes at `[start, end)`. */
  readonly start: number;
  readonly end: number;
}

export interface OnnxGraph {
  readonly bytes: Uint8Array;
  readonly irVersion: number;
  /** Operator set version by domain; '' is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  /** The graph's inputs that are no weights. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Inner tensors that the file describes, by name. */
  readonly values: ReadonlyMap<string, OnnxValue>;
  readonly initializers: ReadonlyMap<string, OnnxInitializer>;
  /** In the file's order, which ONNX requires to be topological. */
  readonly nodes: readonly OnnxNode[];
  /** Where the graph's field begins (its tag), its content begins, and it ends. */
  readonly fieldStart: number;
  readonly contentStart: number;
  readonly contentEnd: number;
}

/** Deeper nesting of subgraphs than any exporter writes; a bound against hostile files. */
const MAX_DEPTH = 16;
/** The largest exported models have some ten thousand nodes. */
const MAX_NODES = 1_000_000;

function invalid(message: string): ImprintError {
  return new ImprintError('BACKBONE_INVALID', message);
}

function external(name: string): ImprintError {
  return new ImprintError(
    'UNSUPPORTED',
    `Expected a model in one file, got one whose weights ("${name}") lie in another (ONNX external data). Save it as one file: onnx.save_model(model, path, save_as_external_data=False).`,
  );
}

function readTensor(reader: WireReader): OnnxInitializer {
  const { position: start, end } = reader;
  const dims: number[] = [];
  let name = '';
  let elementType = 0;
  let isExternal = false;
  while (reader.next()) {
    if (reader.field === 1) reader.intsInto(dims);
    else if (reader.field === 2) elementType = reader.int();
    else if (reader.field === 8) name = reader.text();
    else if (reader.field === 14) isExternal = reader.int() === 1 || isExternal;
    else {
      // external_data without data_location would be ignored by ONNX Runtime, so it is no reading we want to guess at.
      if (reader.field === 13) isExternal = true;
      reader.skip();
    }
  }
  if (isExternal) throw external(name);
  return { name, elementType, dims, start, end };
}

function readDimension(reader: WireReader): number | string {
  let dimension: number | string = '?';
  while (reader.next()) {
    if (reader.field === 1) dimension = reader.int();
    else if (reader.field === 2) dimension = reader.text();
    else reader.skip();
  }
  return dimension;
}

function readTensorType(reader: WireReader): { elementType: number; shape: (number | string)[] | undefined } {
  let elementType = 0;
  let shape: (number | string)[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) elementType = reader.int();
    else if (reader.field === 2) {
      shape = [];
      const dims = reader.message();
      while (dims.next()) {
        if (dims.field === 1) shape.push(readDimension(dims.message()));
        else dims.skip();
      }
    } else reader.skip();
  }
  return { elementType, shape };
}

function readValue(reader: WireReader): OnnxValue {
  let name = '';
  let elementType = 0;
  let shape: (number | string)[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = reader.text();
    else if (reader.field === 2) {
      const type = reader.message();
      while (type.next()) {
        if (type.field === 1) ({ elementType, shape } = readTensorType(type.message()));
        else type.skip();
      }
    } else reader.skip();
  }
  return { name, elementType, shape };
}

/** Looks through an AttributeProto for tensors, also in subgraphs, whose data lie in other files. */
function checkAttribute(reader: WireReader, depth: number): void {
  if (depth > MAX_DEPTH)
    throw invalid(`Expected at most ${MAX_DEPTH} nested subgraphs in the model, got more. Use another export of it.`);
  while (reader.next()) {
    if (reader.field === 5 || reader.field === 10) readTensor(reader.message());
    else if (reader.field === 6 || reader.field === 11) checkSubgraph(reader.message(), depth + 1);
    else reader.skip();
  }
}

function checkSubgraph(reader: WireReader, depth: number): void {
  while (reader.next()) {
    if (reader.field === 1) readNode(reader.message(), depth);
    else if (reader.field === 5) readTensor(reader.message());
    else reader.skip();
  }
}

function readNode(reader: WireReader, depth: number): OnnxNode {
  const { position: start, end } = reader;
  const inputs: string[] = [];
  const outputs: string[] = [];
  let opType = '';
  let domain = '';
  while (reader.next()) {
    if (reader.field === 1) inputs.push(reader.text());
    else if (reader.field === 2) outputs.push(reader.text());
    else if (reader.field === 4) opType = reader.text();
    else if (reader.field === 5) checkAttribute(reader.message(), depth);
    else if (reader.field === 7) domain = reader.text();
    else reader.skip();
  }
  return { opType, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, start, end };
}

function readOpset(reader: WireReader): [string, number] {
  let domain = '';
  let version = 0;
  while (reader.next()) {
    if (reader.field === 1) domain = reader.text();
    else if (reader.field === 2) version = reader.int();
    else reader.skip();
  }
  return [domain === 'ai.onnx' ? '' : domain, version];
}

/**
 * Reads a model's structure; weights stay in `bytes`, which the result refers to and nobody may change.
 * Time and memory grow with the number of fields, never with what a length claims.
 * @throws BACKBONE_INVALID for bytes that are no ONNX model, UNSUPPORTED for weights in other files
 */
export function readModelGraph(bytes: Uint8Array): OnnxGraph {
  const reader = new WireReader(bytes);
  let irVersion = 0;
  const opsets = new Map<string, number>();
  let body: { fieldStart: number; contentStart: number; contentEnd: number } | undefined;
  while (reader.next()) {
    if (reader.field === 1) irVersion = reader.int();
    else if (reader.field === 7) {
      if (body !== undefined) throw invalid('Expected one graph in the ONNX model, got two. Use another export of it.');
      const fieldStart = reader.tagStart;
      const { start, end } = reader.span();
      body = { fieldStart, contentStart: start, contentEnd: end };
    } else if (reader.field === 8) opsets.set(...readOpset(reader.message()));
    // Local functions hold nodes whose attributes may hold tensors: FunctionProto.node is field 7.
    else if (reader.field === 25) {
      const local = reader.message();
      while (local.next()) {
        if (local.field === 7) readNode(local.message(), 0);
        else local.skip();
      }
    } else reader.skip();
  }
  if (body === undefined || irVersion < 1) {
    throw invalid(
      'Expected an ONNX model, got bytes without a graph. The file is empty, damaged or of another kind: fetch or export it again.',
    );
  }
  const nodes: OnnxNode[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const values = new Map<string, OnnxValue>();
  const initializers = new Map<string, OnnxInitializer>();
  const graph = new WireReader(bytes, body.contentStart, body.contentEnd);
  while (graph.next()) {
    if (graph.field === 1) {
      if (nodes.length === MAX_NODES)
        throw invalid(`Expected at most ${MAX_NODES} nodes in the ONNX model, got more. Use another export of it.`);
      nodes.push(readNode(graph.message(), 0));
    } else if (graph.field === 5) {
      const tensor = readTensor(graph.message());
      initializers.set(tensor.name, tensor);
    } else if (graph.field === 11) inputs.push(readValue(graph.message()));
    else if (graph.field === 12) outputs.push(readValue(graph.message()));
    else if (graph.field === 13) {
      const value = readValue(graph.message());
      values.set(value.name, value);
    } else graph.skip();
  }
  return {
    bytes,
    irVersion,
    opsets,
    inputs: inputs.filter((input) => !initializers.has(input.name)),
    outputs,
    values,
    initializers,
    nodes,
    ...body,
  };
}
