/** Writes the ONNX model of a block bidiagonal solve: all its small products in one run, which costs more to start than one of them. */

import { DOUBLE, intAttribute, intsAttribute, modelProto, nodeProto, valueInfo } from './matmul-graph.ts';

export interface BidiagonalGraphOptions {
  readonly blocks: number;
  /** `squares`: squared lengths of the rows of `R L^-T`, rows x 1; `solve`: `R (L L^T)^-1`, rows x order. */
  readonly output: 'squares' | 'solve';
  /** These blocks follow others: with inputs `z-1`, the last columns of `R L^-T` before them, and `a0`. Of `squares` only. */
  readonly follows?: boolean;
}

/**
 * The model of a solve against a lower triangle L of blocks on its diagonal and left of it. Inputs, all f64: `r0`, `r1`, ... the
 * columns of R by blocks, `i0`, ... the inverses of L's diagonal blocks, `a1`, ... the blocks left of them. Outputs: `out`, and of
 * `squares` `last`, the last columns of `R L^-T`. The caller owns the bytes. ONNX Runtime's web build has no f64 kernel for it.
 */
export function bidiagonalGraph({ blocks, output, follows = false }: BidiagonalGraphOptions): Uint8Array<ArrayBuffer> {
  const nodes: Uint8Array[] = [];
  const inputs: Uint8Array[] = follows ? [valueInfo('z-1', DOUBLE, ['rows', 'w-1'])] : [];
  const across = [intAttribute('transB', 1)];
  /** `to = (from - beside corner) inverse`, transposed or not. */
  const step = (
    to: string,
    from: string,
    beside: string | undefined,
    corner: string,
    k: number,
    turn: Uint8Array[],
  ) => {
    let left = from;
    if (beside !== undefined) {
      // The kernel's own way to subtract copies `from` first, on one thread.
      nodes.push(nodeProto('Gemm', [beside, corner], [`${to}p`], turn));
      nodes.push(nodeProto('Sub', [from, `${to}p`], [(left = `${to}s`)]));
    }
    nodes.push(nodeProto('Gemm', [left, `i${k}`], [to], turn));
  };
  for (let k = 0; k < blocks; k++) {
    inputs.push(valueInfo(`r${k}`, DOUBLE, ['rows', `w${k}`]), valueInfo(`i${k}`, DOUBLE, [`w${k}`, `w${k}`]));
    if (k > 0 || follows) inputs.push(valueInfo(`a${k}`, DOUBLE, [`w${k}`, `w${k - 1}`]));
    const z = output === 'squares' && k === blocks - 1 ? 'last' : `z${k}`;
    step(z, `r${k}`, k > 0 || follows ? `z${k - 1}` : undefined, `a${k}`, k, across);
    if (output === 'squares') nodes.push(nodeProto('ReduceSumSquare', [z], [`q${k}`], [intsAttribute('axes', [1])]));
  }
  const names = (letter: string): string[] => Array.from({ length: blocks }, (_, k) => `${letter}${k}`);
  if (output === 'squares') {
    nodes.push(nodeProto('Sum', names('q'), ['out']));
  } else {
    for (let k = blocks - 1; k >= 0; k--) {
      step(`x${k}`, `z${k}`, k < blocks - 1 ? `x${k + 1}` : undefined, `a${k + 1}`, k, []);
    }
    nodes.push(nodeProto('Concat', names('x'), ['out'], [intAttribute('axis', 1)]));
  }
  const outputs = [valueInfo('out', DOUBLE, ['rows', output === 'squares' ? 1 : 'order'])];
  if (output === 'squares') outputs.push(valueInfo('last', DOUBLE, ['rows', `w${blocks - 1}`]));
  return modelProto('bidiagonal', nodes, inputs, outputs);
}
