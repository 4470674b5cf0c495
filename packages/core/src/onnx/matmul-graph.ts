/** Writes the ONNX model of one matrix product, some 150 bytes, so that ONNX Runtime serves as the linear algebra engine. */

import { concatBytes } from '../concat-bytes.ts';
import { intField, messageField, textField } from './wire.ts';

/** ONNX's numbers for element types (TensorProto.DataType). */
export const FLOAT = 1;
export const FLOAT16 = 10;
export const DOUBLE = 11;
const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;

/** AttributeProto.type of a float, of an integer, and of a list of integers. */
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

const IR_VERSION = 8;
const OPSET = 17;

export interface MatmulGraphOptions {
  readonly type: 'f32' | 'f64';
  /** `a` is stored k x m. Default false (m x k). */
  readonly transposeA?: boolean;
  /** `b` is stored n x k. Default false (k x n). */
  readonly transposeB?: boolean;
  /** Rows of the product; any number where absent. */
  readonly m?: number;
  /** Columns of the product; any number where absent. */
  readonly n?: number;
  /** Inner dimension; any number where absent. */
  readonly k?: number;
  /** `d = c - op(a) op(b)` with a third input `c`; `gemm` only. */
  readonly subtract?: boolean;
  /** `gemm` (default) transposes inside the kernel, `matmul` through Transpose nodes before it. */
  readonly op?: 'gemm' | 'matmul';
}

/** ValueInfoProto: a name, an element type, and a shape of fixed (number) or free (string) dimensions, or none. */
export function valueInfo(
  name: string,
  elementType: number,
  shape: readonly (number | string)[] | undefined,
): Uint8Array {
  const parts = [intField(1, elementType)];
  if (shape !== undefined) {
    const dims = shape.map((dim) => messageField(1, typeof dim === 'number' ? intField(1, dim) : textField(2, dim)));
    parts.push(messageField(2, ...dims));
  }
  return concatBytes([textField(1, name), messageField(2, messageField(1, ...parts))]);
}

/** NodeProto: an operator of the default domain with its input and output names and encoded attributes. */
export function nodeProto(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: readonly Uint8Array[] = [],
): Uint8Array {
  return concatBytes([
    ...inputs.map((name) => textField(1, name)),
    ...outputs.map((name) => textField(2, name)),
    textField(3, outputs[0]),
    textField(4, opType),
    ...attributes.map((attribute) => messageField(5, attribute)),
  ]);
}

/** AttributeProto of one integer, at least 0. */
export function intAttribute(name: string, value: number): Uint8Array {
  return concatBytes([textField(1, name), intField(3, value), intField(20, ATTRIBUTE_INT)]);
}

/** AttributeProto of a list of integers, each at least 0. */
export function intsAttribute(name: string, values: readonly number[]): Uint8Array {
  return concatBytes([textField(1, name), ...values.map((value) => intField(8, value)), intField(20, ATTRIBUTE_INTS)]);
}

/** AttributeProto of -1 as a float. */
export function minusOne(name: string): Uint8Array {
  // Field 2 with four bytes of little-endian IEEE 754.
  return concatBytes([textField(1, name), Uint8Array.of(0x15, 0, 0, 0x80, 0xbf), intField(20, ATTRIBUTE_FLOAT)]);
}

/** ModelProto: one graph of the default domain, from encoded nodes, inputs and outputs. */
export function modelProto(
  name: string,
  nodes: readonly Uint8Array[],
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const graph = messageField(
    7,
    ...nodes.map((node) => messageField(1, node)),
    textField(2, name),
    ...inputs.map((input) => messageField(11, input)),
    ...outputs.map((output) => messageField(12, output)),
  );
  return concatBytes([intField(1, IR_VERSION), textField(2, 'imprint'), graph, messageField(8, intField(2, OPSET))]);
}

/** The model of `c = a b` with unsigned bytes `a`, signed bytes `b` and 32-bit sums. The caller owns the bytes. */
export function bytesMatmulGraph(): Uint8Array<ArrayBuffer> {
  return modelProto(
    'bytes',
    [nodeProto('MatMulInteger', ['a', 'b'], ['c'])],
    [valueInfo('a', UINT8, ['m', 'k']), valueInfo('b', INT8, ['k', 'n'])],
    [valueInfo('c', INT32, ['m', 'n'])],
  );
}

/**
 * The model of `c = op(a) op(b)`, row-major, with inputs `a` and `b` and output `c`.
 * The caller owns the bytes. ONNX Runtime's web build has no f64 kernel for it.
 */
export function matmulGraph(options: MatmulGraphOptions): Uint8Array<ArrayBuffer> {
  const {
    type,
    transposeA = false,
    transposeB = false,
    m = 'm',
    n = 'n',
    k = 'k',
    op = 'gemm',
    subtract = false,
  } = options;
  const elementType = type === 'f64' ? DOUBLE : FLOAT;
  const nodes: Uint8Array[] = [];
  if (op === 'gemm') {
    const attributes: Uint8Array[] = [];
    if (transposeA) attributes.push(intAttribute('transA', 1));
    if (transposeB) attributes.push(intAttribute('transB', 1));
    if (subtract) attributes.push(minusOne('alpha'));
    nodes.push(nodeProto('Gemm', subtract ? ['a', 'b', 'c'] : ['a', 'b'], [subtract ? 'd' : 'c'], attributes));
  } else {
    const swap = [intsAttribute('perm', [1, 0])];
    if (transposeA) nodes.push(nodeProto('Transpose', ['a'], ['at'], swap));
    if (transposeB) nodes.push(nodeProto('Transpose', ['b'], ['bt'], swap));
    nodes.push(nodeProto('MatMul', [transposeA ? 'at' : 'a', transposeB ? 'bt' : 'b'], ['c']));
  }
  const inputs = [
    valueInfo('a', elementType, transposeA ? [k, m] : [m, k]),
    valueInfo('b', elementType, transposeB ? [n, k] : [k, n]),
    ...(subtract ? [valueInfo('c', elementType, [m, n])] : []),
  ];
  return modelProto('matmul', nodes, inputs, [valueInfo(subtract ? 'd' : 'c', elementType, [m, n])]);
}
