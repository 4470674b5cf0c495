/** Puts the nodes of an ONNX graph into the order in which they can be computed. */

import type { OnnxNode } from './read-model-graph.ts';

/**
 * The nodes, each after those whose outputs it reads (Kahn's algorithm). ONNX asks for this order in the file, but ONNX
 * Runtime does not, and its own converter to half precision appends its casts at the end. Nodes of a cycle are left out.
 */
export function topologicalOrder(nodes: readonly OnnxNode[]): OnnxNode[] {
  const readers = new Map<string, number[]>();
  const waiting = new Int32Array(nodes.length);
  const produced = new Set(nodes.flatMap((node) => node.outputs));
  nodes.forEach((node, index) => {
    for (const input of node.inputs) {
      if (!produced.has(input)) continue;
      waiting[index]++;
      const list = readers.get(input);
      if (list) list.push(index);
      else readers.set(input, [index]);
    }
  });
  const order: number[] = [];
  for (let index = 0; index < nodes.length; index++) if (waiting[index] === 0) order.push(index);
  for (let next = 0; next < order.length; next++) {
    for (const output of nodes[order[next]].outputs) {
      for (const reader of readers.get(output) ?? []) if (--waiting[reader] === 0) order.push(reader);
      // A hostile graph may produce one tensor twice; its readers wait once.
      readers.delete(output);
    }
  }
  return order.map((index) => nodes[index]);
}
