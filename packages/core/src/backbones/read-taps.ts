/** From a model's output tensors to embeddings: pooling, checked against the manifest, the same sums in every runtime. */

import { ImprintError } from '../errors.ts';
import type { ManifestOutput, TensorTap } from './manifest.ts';

/** What core needs of a runtime's tensor; ONNX Runtime's own fit. */
export interface OutputTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** The graph outputs that hold a manifest's taps, each once. */
export function tapOutputs(output: ManifestOutput): string[] {
  return output.name === undefined ? [...new Set(output.taps.map((tap) => tap.tensor))] : [output.name];
}

/**
 * The embeddings in one run's outputs: each tap is the class token, the mean of the patch tokens summed in f64, or the row as it is.
 * @param results the tensors that `tapOutputs` names
 * @param rows pictures of the run, padding included
 * @param count pictures that are wanted, the first ones
 * @returns Float32Array, count x taps x dim; the caller owns it
 * @throws BACKBONE_INVALID where a tensor's type or shape is not what the manifest says
 */
export function readTaps(
  results: Readonly<Record<string, OutputTensor>>,
  output: ManifestOutput,
  rows: number,
  count: number,
): Float32Array<ArrayBuffer> {
  return output.name === undefined
    ? poolTaps(results, output.taps, output.dim, count)
    : stackedTaps(results[output.name], output.taps.length * output.dim, rows, count);
}

function stackedTaps(tensor: OutputTensor, values: number, rows: number, count: number): Float32Array<ArrayBuffer> {
  const data = floats(tensor);
  if (data.length !== rows * values) throw shapeError(tensor, `${rows} x taps x dim = ${rows * values} values`);
  return new Float32Array(data.subarray(0, count * values));
}

function poolTaps(
  results: Readonly<Record<string, OutputTensor>>,
  taps: readonly TensorTap[],
  dim: number,
  count: number,
): Float32Array<ArrayBuffer> {
  const embeddings = new Float32Array(count * taps.length * dim);
  const sums = new Float64Array(dim);
  taps.forEach(({ tensor: name, pooling, prefixTokens = 0 }, tapIndex) => {
    const tensor = results[name];
    const data = floats(tensor);
    const tokens = pooling === 'none' ? 1 : tensor.dims[1];
    const fits = tensor.dims.length === (pooling === 'none' ? 2 : 3) && tensor.dims.at(-1) === dim;
    if (!fits || (pooling === 'mean' && tokens <= prefixTokens)) {
      throw shapeError(tensor, `batch${pooling === 'none' ? '' : ' x tokens'} x ${dim} for ${name}`);
    }
    for (let row = 0; row < count; row++) {
      const start = row * tokens * dim;
      const out = (row * taps.length + tapIndex) * dim;
      if (pooling !== 'mean') {
        embeddings.set(data.subarray(start, start + dim), out);
        continue;
      }
      sums.fill(0);
      for (let token = prefixTokens; token < tokens; token++) {
        const from = start + token * dim;
        for (let d = 0; d < dim; d++) sums[d] += data[from + d];
      }
      for (let d = 0; d < dim; d++) embeddings[out + d] = sums[d] / (tokens - prefixTokens);
    }
  });
  return embeddings;
}

function floats(tensor: OutputTensor): Float32Array {
  if (tensor.type !== 'float32') throw shapeError(tensor, 'float32');
  return tensor.data as Float32Array;
}

function shapeError(tensor: OutputTensor, what: string): ImprintError {
  const message = `Expected ${what} from the model, got ${tensor.type} ${tensor.dims.join(' x ')}. Correct its manifest.`;
  return new ImprintError('BACKBONE_INVALID', message);
}

/** Lowest cosine to the canary's stored embedding, in each tap, at which a device counts as accurate. */
export const CANARY_COSINE = 0.99;

/** Smallest cosine over the taps of two embeddings, taps x dim; 0 where the lengths differ, NaN where a value is. */
export function smallestCosine(a: ArrayLike<number>, b: ArrayLike<number>, dim: number): number {
  if (a.length !== b.length) return 0;
  let smallest = 1;
  for (let start = 0; start < a.length; start += dim) {
    let [product, squaresA, squaresB] = [0, 0, 0];
    for (let i = start; i < start + dim; i++) {
      product += a[i] * b[i];
      squaresA += a[i] * a[i];
      squaresB += b[i] * b[i];
    }
    const cosine = product / Math.sqrt(squaresA * squaresB);
    if (!(cosine >= smallest)) smallest = cosine;
  }
  return smallest;
}
