/** Inner products of rows in flat arrays: float64 for solved quantities, exact integers for codes. */

/**
 * `sum of a[offsetA + j] * b[offsetB + j]` over `n` entries. Four partial sums keep the adders busy; their order is
 * fixed, so equal input gives equal bits.
 */
export function dotProduct(a: Float64Array, offsetA: number, b: Float64Array, offsetB: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let j = 0;
  for (; j + 3 < n; j += 4) {
    s0 += a[offsetA + j] * b[offsetB + j];
    s1 += a[offsetA + j + 1] * b[offsetB + j + 1];
    s2 += a[offsetA + j + 2] * b[offsetB + j + 2];
    s3 += a[offsetA + j + 3] * b[offsetB + j + 3];
  }
  for (; j < n; j++) s0 += a[offsetA + j] * b[offsetB + j];
  return s0 + s1 + (s2 + s3);
}

/**
 * The same for codes. Exact: 2^31 / 127^2 leaves room for 133,000 entries in each of four int32 sums.
 */
export function codeProduct(a: Int8Array, offsetA: number, b: Int8Array, offsetB: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let j = 0;
  for (; j + 3 < n; j += 4) {
    s0 = (s0 + a[offsetA + j] * b[offsetB + j]) | 0;
    s1 = (s1 + a[offsetA + j + 1] * b[offsetB + j + 1]) | 0;
    s2 = (s2 + a[offsetA + j + 2] * b[offsetB + j + 2]) | 0;
    s3 = (s3 + a[offsetA + j + 3] * b[offsetB + j + 3]) | 0;
  }
  for (; j < n; j++) s0 = (s0 + a[offsetA + j] * b[offsetB + j]) | 0;
  return s0 + s1 + s2 + s3;
}

/** A cosine from an inner product and two squared lengths, from -1 to 1; 0 where a length is 0. */
export function cosine(product: number, squareA: number, squareB: number): number {
  const squares = squareA * squareB;
  if (!(squares > 0)) return 0;
  const value = product / Math.sqrt(squares);
  return value > 1 ? 1 : value < -1 ? -1 : value;
}
