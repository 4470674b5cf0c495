/** Reading models, walking their residual stream and adding outputs, on home-made transformers and on hostile bytes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../../packages/core/src/concat-bytes.ts';
import { ImprintError } from '../../../../packages/core/src/errors.ts';
import { addGraphOutputs } from '../../../../packages/core/src/onnx/add-graph-outputs.ts';
import { matmulGraph, nodeProto, valueInfo } from '../../../../packages/core/src/onnx/matmul-graph.ts';
import { readModelGraph } from '../../../../packages/core/src/onnx/read-model-graph.ts';
import { findResidualStream, pictureInput } from '../../../../packages/core/src/onnx/residual-stream.ts';
import { intField, messageField, textField } from '../../../../packages/core/src/onnx/wire.ts';
import { tinyVit } from '../../node/models/tiny-vit.ts';

/** A model of `nodes` with one picture input. */
function modelOf(nodes: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const graph = messageField(
    7,
    ...nodes.map((node) => messageField(1, node)),
    messageField(11, valueInfo('pixel_values', 1, ['b', 3, 8, 8])),
  );
  return concatBytes([intField(1, 8), graph, messageField(8, intField(2, 17))]);
}

describe('matmulGraph', () => {
  it('writes shapes, transposes and types that read back', () => {
    const graph = readModelGraph(matmulGraph({ type: 'f64', transposeA: true, transposeB: true, m: 3, k: 5 }));
    expect(graph.inputs).toEqual([
      { name: 'a', elementType: 11, shape: [5, 3] },
      { name: 'b', elementType: 11, shape: ['n', 5] },
    ]);
    expect(graph.outputs).toEqual([{ name: 'c', elementType: 11, shape: [3, 'n'] }]);
    expect(graph.nodes.map((node) => node.opType)).toEqual(['Gemm']);
    expect([graph.irVersion, graph.opsets.get('')]).toEqual([8, 17]);
    const spelled = readModelGraph(matmulGraph({ type: 'f32', transposeA: true, op: 'matmul' }));
    expect(spelled.nodes.map((node) => node.opType)).toEqual(['Transpose', 'MatMul']);
  });
});

describe('readModelGraph', () => {
  it('finds weights by offset and leaves them in place', () => {
    const bytes = tinyVit({ dim: 16 });
    const graph = readModelGraph(bytes);
    const bias = graph.initializers.get('patch.bias');
    expect(bias?.dims).toEqual([16]);
    expect(graph.bytes).toBe(bytes);
    expect(graph.inputs.map((input) => input.name)).toEqual(['pixel_values']);
    expect(graph.outputs[0].shape).toEqual(['batch', 17, 16]);
  });

  it('refuses weights in other files, wherever in the graph they are named', () => {
    expect(() => readModelGraph(tinyVit({ external: true }))).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('ONNX external data') }),
    );
    const tensor = concatBytes([textField(8, 'hidden'), intField(14, 1)]);
    const constant = concatBytes([
      textField(2, 'c'),
      textField(4, 'Constant'),
      messageField(5, textField(1, 'value'), messageField(5, tensor)),
    ]);
    expect(() => readModelGraph(modelOf([constant]))).toThrow('("hidden")');
    const subgraph = messageField(6, messageField(1, constant));
    const branch = concatBytes([
      textField(2, 'd'),
      textField(4, 'If'),
      messageField(5, textField(1, 'then_branch'), subgraph),
    ]);
    expect(() => readModelGraph(modelOf([branch]))).toThrow('("hidden")');
  });

  it('refuses an empty file, text, a graph twice and bottomless nesting', () => {
    for (const bytes of [
      new Uint8Array(0),
      new TextEncoder().encode('<!doctype html><title>Sign in</title>'),
      Uint8Array.of(8, 8),
    ]) {
      expect(() => readModelGraph(bytes)).toThrow(expect.objectContaining({ code: 'BACKBONE_INVALID' }));
    }
    const once = matmulGraph({ type: 'f32' });
    expect(() => readModelGraph(concatBytes([once, once]))).toThrow('Expected one graph in the ONNX model, got two');
    let node = nodeProto('If', [], ['x']);
    for (let i = 0; i < 40; i++)
      node = concatBytes([textField(4, 'If'), messageField(5, messageField(6, messageField(1, node)))]);
    expect(() => readModelGraph(modelOf([node]))).toThrow('Expected at most 16 nested subgraphs');
  });

  it('answers every truncation and every flipped byte with a graph or a typed error', () => {
    const bytes = tinyVit({ depth: 1, dim: 4, size: 8, patch: 4 });
    const attempt = (candidate: Uint8Array): void => {
      try {
        findResidualStream(readModelGraph(candidate));
      } catch (error) {
        if (!(error instanceof ImprintError)) throw error;
      }
    };
    for (let length = 0; length < bytes.length; length++) attempt(bytes.subarray(0, length));
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (position, flip) => {
        const damaged = bytes.slice();
        damaged[position] ^= flip;
        attempt(damaged);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('findResidualStream', () => {
  it.each([
    ['one operator for each normalisation', {}],
    ['normalisations spelled out', { layerNorm: 'spelled-out' }],
    ['half precision inside', { half: true }],
    ['a classifier that gives only logits', { outputs: 'logits' }],
    ['nodes in the wrong order, as converters to half precision leave them', { reversed: true, half: true }],
  ] as const)('finds every block and the class token with %s', (_, options) => {
    const graph = readModelGraph(tinyVit({ ...options, depth: 5 }));
    const stream = findResidualStream(graph);
    expect(stream?.blocks).toHaveLength(5);
    expect(stream?.prefixTokens).toBe(1);
    expect(stream?.dim).toBe(16);
    expect(stream?.final?.isClassToken).toBe(false);
    // Each block's output is an addition of which one side comes from the block before it.
    for (const block of stream?.blocks ?? []) {
      expect(graph.nodes.find((node) => node.outputs[0] === block)?.opType).toBe('Add');
    }
  });

  it('counts registers as prefix, and none where all tokens are patches', () => {
    expect(findResidualStream(readModelGraph(tinyVit({ prefixTokens: 5 })))?.prefixTokens).toBe(5);
    for (const layerNorm of ['operator', 'spelled-out'] as const) {
      expect(findResidualStream(readModelGraph(tinyVit({ prefixTokens: 0, layerNorm })))).toMatchObject({
        prefixTokens: 0,
        dim: 16,
      });
    }
  });

  it('finds the class token that CLIP normalises alone', () => {
    for (const layerNorm of ['operator', 'spelled-out'] as const) {
      expect(findResidualStream(readModelGraph(tinyVit({ outputs: 'clip', layerNorm })))?.final?.isClassToken).toBe(
        true,
      );
    }
  });

  it('finds nothing in a graph without attention or without a picture', () => {
    expect(findResidualStream(readModelGraph(modelOf([nodeProto('Relu', ['pixel_values'], ['x'])])))).toBeUndefined();
    const matmul = readModelGraph(matmulGraph({ type: 'f32' }));
    expect(pictureInput(matmul)).toBeUndefined();
    expect(findResidualStream(matmul)).toBeUndefined();
  });

  it('gives up in time on graphs made to keep it busy', () => {
    const nodes = [nodeProto('Relu', ['pixel_values'], ['x0'])];
    // Each addition's branch leads back through all the others to the very first tensor.
    for (let i = 1; i <= 20_000; i++) {
      nodes.push(nodeProto('Max', [`x${i - 1}`, 'x0'], [`m${i}`]), nodeProto('Add', ['x0', `m${i}`], [`x${i}`]));
    }
    const graph = readModelGraph(modelOf(nodes));
    const start = performance.now();
    findResidualStream(graph);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('reads no cycle twice', () => {
    const nodes = [
      nodeProto('Add', ['pixel_values', 'b'], ['a']),
      nodeProto('Add', ['a', 'pixel_values'], ['b']),
      nodeProto('Identity', ['c'], ['c']),
    ];
    expect(findResidualStream(readModelGraph(modelOf(nodes)))).toBeUndefined();
  });
});

describe('addGraphOutputs', () => {
  it('adds outputs at the end of the graph and leaves every other byte as it was', () => {
    const bytes = tinyVit({ dim: 16, depth: 3 });
    const graph = readModelGraph(bytes);
    const blocks = findResidualStream(graph)?.blocks ?? [];
    const edited = addGraphOutputs(graph, [...blocks, 'last_hidden_state', blocks[0]]);
    expect(edited.outputs).toEqual([...blocks.map((name) => `${name}/tap`), 'last_hidden_state', `${blocks[0]}/tap`]);
    const again = readModelGraph(edited.bytes);
    expect(again.outputs.map((output) => output.name)).toEqual([
      'last_hidden_state',
      ...blocks.map((name) => `${name}/tap`),
    ]);
    const before = bytes.subarray(graph.contentStart, graph.contentEnd);
    const after = edited.bytes.subarray(again.contentStart, again.contentStart + before.length);
    expect(Buffer.compare(before, after)).toBe(0);
    expect(Buffer.compare(bytes.subarray(graph.contentEnd), edited.bytes.subarray(again.contentEnd))).toBe(0);
  });

  it('returns the bytes themselves where every tensor is an output already', () => {
    const bytes = tinyVit();
    expect(addGraphOutputs(readModelGraph(bytes), ['last_hidden_state'])).toEqual({
      bytes,
      outputs: ['last_hidden_state'],
    });
  });

  it('refuses weights, inputs and names that nothing computes', () => {
    const graph = readModelGraph(tinyVit());
    for (const name of ['patch.bias', 'pixel_values', 'nowhere', '']) {
      expect(() => addGraphOutputs(graph, [name])).toThrow(`Expected a tensor that the model computes, got "${name}"`);
    }
  });
});
