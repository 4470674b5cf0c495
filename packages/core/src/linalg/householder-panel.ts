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
    reflectColumns(columns, j, count, height, scale);
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

/** `c <- c - scale (v^T c) v` for the columns c after v, column j; four at a time, so that v is read once for them. */
function reflectColumns(columns: Float64Array, j: number, count: number, height: number, scale: number): void {
  const v = columns.subarray(j * height, (j + 1) * height);
  let other = j + 1;
  for (; other + 4 <= count; other += 4) {
    const c0 = columns.subarray(other * height, (other + 1) * height);
    const c1 = columns.subarray((other + 1) * height, (other + 2) * height);
    const c2 = columns.subarray((other + 2) * height, (other + 3) * height);
    const c3 = columns.subarray((other + 3) * height, (other + 4) * height);
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = j; i < height; i++) {
      const x = v[i];
      s0 += x * c0[i];
      s1 += x * c1[i];
      s2 += x * c2[i];
      s3 += x * c3[i];
    }
    [s0, s1, s2, s3] = [scale * s0, scale * s1, scale * s2, scale * s3];
    for (let i = j; i < height; i++) {
      const x = v[i];
      c0[i] -= s0 * x;
      c1[i] -= s1 * x;
      c2[i] -= s2 * x;
      c3[i] -= s3 * x;
    }
  }
  for (; other < count; other++) {
    const c = columns.subarray(other * height, (other + 1) * height);
    let sum = 0;
    for (let i = j; i < height; i++) sum += v[i] * c[i];
    sum *= scale;
    for (let i = j; i < height; i++) c[i] -= sum * v[i];
  }
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
