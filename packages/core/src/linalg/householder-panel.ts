/** QR of a tall panel by Householder reflectors in compact form: `H = H_1 H_2 ... = I - V T V^T`. */

import type { FitContext } from '../head.ts';

export interface BlockReflector {
  /** Float64Array, count x height: row j is reflector j, zeros before entry j. */
  readonly vectors: Float64Array;
  /** Float64Array, count x count, upper triangular: T. */
  readonly factor: Float64Array;
  readonly height: number;
  readonly count: number;
  /** Float64Array, count x count: R of the panel, `H^T P = [R; 0]`. */
  readonly triangle: Float64Array;
}

/**
 * Schreiber and Van Loan, A storage-efficient WY representation for products of Householder transformations (1989).
 * @param columns Float64Array, count x height: row j is column j of the panel; overwritten, part of the result
 * @param height at least `count`
 */
export async function householderPanel(
  columns: Float64Array,
  count: number,
  height: number,
  { gemm }: FitContext,
): Promise<BlockReflector> {
  const scales = new Float64Array(count);
  const triangle = new Float64Array(count * count);
  for (let j = 0; j < count; j++) {
    const own = columns.subarray(j * height, (j + 1) * height);
    for (let i = 0; i < j; i++) triangle[i * count + j] = own[i];
    const { scale, image } = reflector(own, j);
    scales[j] = scale;
    triangle[j * count + j] = image;
    own.fill(0, 0, j);
    if (scale === 0) continue;
    for (let other = j + 1; other < count; other++) {
      const column = columns.subarray(other * height, (other + 1) * height);
      addMultiple(column, own, j, -scale * dot(own, column, j));
    }
  }
  const products = await gemm.f64(columns, columns, { m: count, n: count, k: height, transposeB: true });
  return { vectors: columns, factor: compactFactor(products, scales, count), height, count, triangle };
}

/**
 * Turns `x[from..]` into v, whose entry `from` is 1, such that `(I - scale v v^T) x = image e`; scale 0 where nothing is left
 * to reflect.
 */
function reflector(x: Float64Array, from: number): { readonly scale: number; readonly image: number } {
  let largest = 0;
  for (let i = from; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i]));
  if (!(largest > 0)) {
    x[from] = 1;
    return { scale: 0, image: 0 };
  }
  // Over the largest, so that squares neither vanish nor overflow.
  let squares = 0;
  for (let i = from; i < x.length; i++) squares += (x[i] / largest) ** 2;
  const head = x[from];
  const norm = largest * Math.sqrt(squares);
  const image = head > 0 ? -norm : norm;
  const pivot = head - image;
  for (let i = from + 1; i < x.length; i++) x[i] /= pivot;
  x[from] = 1;
  return { scale: -pivot / image, image };
}

function dot(a: Float64Array, b: Float64Array, from: number): number {
  const end = a.length;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = from;
  for (; i + 4 <= end; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < end; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

function addMultiple(to: Float64Array, from: Float64Array, start: number, factor: number): void {
  for (let i = start; i < to.length; i++) to[i] += factor * from[i];
}

/** T: column j is `-scale_j T (V^T v_j)` above its diagonal entry `scale_j`. */
function compactFactor(products: Float64Array, scales: Float64Array, count: number): Float64Array {
  const factor = new Float64Array(count * count);
  for (let j = 0; j < count; j++) {
    factor[j * count + j] = scales[j];
    for (let i = 0; i < j; i++) {
      let sum = 0;
      for (let k = i; k < j; k++) sum += factor[i * count + k] * products[k * count + j];
      factor[i * count + j] = -scales[j] * sum;
    }
  }
  return factor;
}
