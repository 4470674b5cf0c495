/** Writes small, real Vision Transformers as ONNX, in the dialects that exporters speak, with seeded weights. */

import { concatBytes } from '../../../../packages/core/src/concat-bytes.ts';
import {
  DOUBLE,
  FLOAT,
  FLOAT16,
  intAttribute,
  intsAttribute,
  nodeProto,
  valueInfo,
} from '../../../../packages/core/src/onnx/matmul-graph.ts';
import { intField, messageField, textField } from '../../../../packages/core/src/onnx/wire.ts';

export interface TinyVitOptions {
  readonly depth?: number;
  readonly dim?: number;
  readonly size?: number;
  readonly patch?: number;
  /** Tokens before the patches: 0 (SigLIP), 1 (class token), more (registers). */
  readonly prefixTokens?: number;
  /** LayerNormalization as one operator, or spelled out as exports before opset 17 do. */
  readonly layerNorm?: 'operator' | 'spelled-out';
  /** Half precision inside, float32 at the edges. */
  readonly half?: boolean;
  /** `tokens`: last_hidden_state; `logits`: a classifier's only output; `clip`: the normalised class token, projected. */
  readonly outputs?: 'tokens' | 'logits' | 'clip';
  readonly seed?: number;
  /** Float64 input, which nobody feeds: to be refused. */
  readonly inputType?: number;
  /** Says of its weights that they lie in another file. */
  readonly external?: boolean;
  /** Writes the nodes last to first, as no standard allows and some converters half do. */
  readonly reversed?: boolean;
  /** Added to every weight of the last layer's bias: makes two models that differ a little. */
  readonly nudge?: number;
}

/** The nearest half-precision number's bits, for values without subnormals. */
function toHalf(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 112;
  if (exponent <= 0) return sign;
  return (sign | (exponent << 10) | ((bits >>> 13) & 1023)) + ((bits >>> 12) & 1);
}

class GraphWriter {
  readonly nodes: Uint8Array[] = [];
  readonly initializers: Uint8Array[] = [];
  readonly half: boolean;
  readonly external: boolean;
  #count = 0;
  #state: number;

  constructor(half: boolean, external: boolean, seed: number) {
    this.half = half;
    this.external = external;
    this.#state = seed >>> 0;
  }

  /** A number from -1 to 1. */
  random(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 31 - 1;
  }

  node(opType: string, inputs: string[], attributes: Uint8Array[] = []): string {
    const output = `${opType}_${this.#count++}`;
    this.nodes.push(nodeProto(opType, inputs, [output], attributes));
    return output;
  }

  weights(name: string, dims: number[], scale: number, offset = 0): string {
    const values = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => this.random() * scale + offset);
    return this.tensor(name, dims, values);
  }

  tensor(name: string, dims: number[], values: number[]): string {
    const raw = this.half
      ? new Uint8Array(Uint16Array.from(values, toHalf).buffer)
      : new Uint8Array(Float32Array.from(values).buffer);
    const data = this.external
      ? [messageField(13, textField(1, 'location'), textField(2, 'weights.bin')), intField(14, 1)]
      : [messageField(9, raw)];
    this.initializers.push(
      concatBytes([
        ...dims.map((dim) => intField(1, dim)),
        intField(2, this.half ? FLOAT16 : FLOAT),
        textField(8, name),
        ...data,
      ]),
    );
    return name;
  }

  /** Whole numbers, as a list or as a single one without dimensions. */
  integers(name: string, values: number[], isScalar = false): string {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.initializers.push(
      concatBytes([
        ...(isScalar ? [] : [intField(1, values.length)]),
        intField(2, 7),
        textField(8, name),
        messageField(9, raw),
      ]),
    );
    return name;
  }
}

export function tinyVit(options: TinyVitOptions = {}): Uint8Array<ArrayBuffer> {
  const { depth = 6, dim = 16, size = 32, patch = 8, prefixTokens = 1, layerNorm = 'operator', half = false } = options;
  const { outputs = 'tokens', seed = 1, inputType = FLOAT, external = false, nudge = 0, reversed = false } = options;
  const g = new GraphWriter(half, external, seed);
  const patches = (size / patch) ** 2;
  const tokens = patches + prefixTokens;

  const normalise = (x: string, name: string, axis = 2): string => {
    const gamma = g.weights(`${name}.weight`, [dim], 0.2, 1);
    const beta = g.weights(`${name}.bias`, [dim], 0.1);
    if (layerNorm === 'operator') return g.node('LayerNormalization', [x, gamma, beta], [intAttribute('axis', axis)]);
    const centred = g.node('Sub', [x, g.node('ReduceMean', [x], [intsAttribute('axes', [axis])])]);
    const variance = g.node('ReduceMean', [g.node('Mul', [centred, centred])], [intsAttribute('axes', [axis])]);
    const deviation = g.node('Sqrt', [g.node('Add', [variance, g.tensor(`${name}.epsilon`, [], [1e-3])])]);
    return g.node('Add', [g.node('Mul', [g.node('Div', [centred, deviation]), gamma]), beta]);
  };
  const linear = (x: string, name: string, from: number, to: number): string => {
    const product = g.node('MatMul', [x, g.weights(`${name}.weight`, [from, to], 1.5 / Math.sqrt(from))]);
    return g.node('Add', [product, g.weights(`${name}.bias`, [to], 0.1, nudge)]);
  };
  const attention = (x: string, name: string): string => {
    const [q, k, v] = ['q', 'k', 'v'].map((part) => linear(x, `${name}.${part}`, dim, dim));
    const transposed = g.node('Transpose', [k], [intsAttribute('perm', [0, 2, 1])]);
    const scores = g.node('Mul', [
      g.node('MatMul', [q, transposed]),
      g.tensor(`${name}.scale`, [], [1 / Math.sqrt(dim)]),
    ]);
    return linear(
      g.node('MatMul', [g.node('Softmax', [scores], [intAttribute('axis', 2)]), v]),
      `${name}.out`,
      dim,
      dim,
    );
  };
  // The tanh form of GELU holds an addition x + c x^3, which looks like a residual one and is none.
  const perceptron = (x: string, name: string): string => {
    const h = linear(x, `${name}.fc1`, dim, 2 * dim);
    const cube = g.node('Mul', [g.node('Mul', [g.node('Mul', [h, h]), h]), g.tensor(`${name}.c`, [], [0.044715])]);
    const inner = g.node('Mul', [g.node('Add', [h, cube]), g.tensor(`${name}.s`, [], [Math.sqrt(2 / Math.PI)])]);
    const gate = g.node('Add', [g.node('Tanh', [inner]), g.tensor(`${name}.one`, [], [1])]);
    const gelu = g.node('Mul', [g.node('Mul', [h, gate]), g.tensor(`${name}.half`, [], [0.5])]);
    return linear(gelu, `${name}.fc2`, 2 * dim, dim);
  };

  const pixels = half ? g.node('Cast', ['pixel_values'], [intAttribute('to', FLOAT16)]) : 'pixel_values';
  const convolved = g.node(
    'Conv',
    [pixels, g.weights('patch.weight', [dim, 3, patch, patch], 0.2), g.weights('patch.bias', [dim], 0.1)],
    [intsAttribute('kernel_shape', [patch, patch]), intsAttribute('strides', [patch, patch])],
  );
  const flat = g.node('Reshape', [convolved, g.integers('flat', [0, dim, patches])]);
  let x = g.node('Transpose', [flat], [intsAttribute('perm', [0, 2, 1])]);
  if (prefixTokens > 0) {
    const batch = g.node(
      'Gather',
      [g.node('Shape', ['pixel_values']), g.integers('zero', [0])],
      [intAttribute('axis', 0)],
    );
    const parts: string[] = [];
    for (const [name, count] of [
      ['cls', 1],
      ['registers', prefixTokens - 1],
    ] as const) {
      if (count === 0) continue;
      const shape = g.node('Concat', [batch, g.integers(`${name}.shape`, [count, dim])], [intAttribute('axis', 0)]);
      parts.push(g.node('Expand', [g.weights(name, [1, count, dim], 1), shape]));
    }
    x = g.node('Concat', [...parts, x], [intAttribute('axis', 1)]);
  }
  x = g.node('Add', [x, g.weights('position', [1, tokens, dim], 0.5)]);
  for (let block = 0; block < depth; block++) {
    x = g.node('Add', [attention(normalise(x, `${block}.norm1`), `${block}.attention`), x]);
    x = g.node('Add', [x, perceptron(normalise(x, `${block}.norm2`), `${block}.mlp`)]);
  }

  let result: { name: string; tensor: string; shape: (number | string)[] };
  if (outputs === 'clip') {
    const token = g.node('Gather', [x, g.integers('first', [0], true)], [intAttribute('axis', 1)]);
    const pooled = normalise(token, 'post', 1);
    result = { name: 'image_embeds', tensor: linear(pooled, 'projection', dim, 8), shape: ['batch', 8] };
  } else {
    const normed = normalise(x, 'norm');
    if (outputs === 'tokens') result = { name: 'last_hidden_state', tensor: normed, shape: ['batch', tokens, dim] };
    else {
      const token = g.node('ReduceMean', [normed], [intsAttribute('axes', [1]), intAttribute('keepdims', 0)]);
      result = { name: 'logits', tensor: linear(token, 'head', dim, 5), shape: ['batch', 5] };
    }
  }
  g.nodes.push(
    nodeProto(half ? 'Cast' : 'Identity', [result.tensor], [result.name], half ? [intAttribute('to', FLOAT)] : []),
  );
  if (reversed) g.nodes.reverse();
  const graph = messageField(
    7,
    ...g.nodes.map((node) => messageField(1, node)),
    textField(2, 'tiny-vit'),
    ...g.initializers.map((tensor) => messageField(5, tensor)),
    messageField(11, valueInfo('pixel_values', inputType === DOUBLE ? DOUBLE : FLOAT, ['batch', 3, size, size])),
    messageField(12, valueInfo(result.name, FLOAT, result.shape)),
  );
  return concatBytes([intField(1, 8), textField(2, 'imprint-test'), graph, messageField(8, intField(2, 17))]);
}
