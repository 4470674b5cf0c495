/**
 * Source, in AssemblyScript, of the machine code in `src/linalg/row-products-module.ts`: products of one vector with every row of a
 * matrix. Pointers are offsets into the imported memory.
 *
 * Compiled with assemblyscript, a dependency of the tests alone (one compiles it again and compares the committed bytes):
 * asc row-products.as.ts --optimizeLevel 3 --shrinkLevel 1 --runtime stub --enable simd --noAssert --importMemory -o row-products.wasm
 */

/** The sum of a vector's four numbers. */
function total(v: v128): i32 {
  const pairs = i32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/**
 * Inner products of a query with rows of int8 codes, four rows at a time: `out[i] = sum_j query[j] codes[i * stride + j]`.
 * @param columns a multiple of 8; the query, 16-bit, is zero beyond its end, so that what rows have there does not count
 */
export function scan(codes: usize, stride: i32, rows: i32, query: usize, columns: i32, out: usize): void {
  const bytes = columns;
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    let c = i32x4.splat(0);
    let d = i32x4.splat(0);
    let p = codes;
    const end = codes + bytes;
    const second = stride;
    const third = stride << 1;
    const fourth = third + stride;
    let q = query;
    while (p < end) {
      const x = v128.load(q);
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load8x8_s(p), x));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load8x8_s(p + second), x));
      c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load8x8_s(p + third), x));
      d = i32x4.add(d, i32x4.dot_i16x8_s(v128.load8x8_s(p + fourth), x));
      p += 8;
      q += 16;
    }
    store<i32>(out, total(a));
    store<i32>(out, total(b), 4);
    store<i32>(out, total(c), 8);
    store<i32>(out, total(d), 12);
    codes += fourth + stride;
    out += 16;
  }
  for (; i < rows; i++) {
    let a = i32x4.splat(0);
    let q = query;
    for (let p = codes; p < codes + bytes; p += 8) {
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load8x8_s(p), v128.load(q)));
      q += 16;
    }
    store<i32>(out, total(a));
    codes += stride;
    out += 4;
  }
}

/** The four sums of two vectors: lanes 0 and 1, then lanes 2 and 3. */
function total64(low: v128, high: v128): f64 {
  const first = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
  return first + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

/**
 * Inner products of a vector with rows of 64-bit floats, four rows at a time: `out[i] = sum_j x[j] rows[i * stride + j]`. Each row has
 * four sums, of the entries that are 0, 1, 2 and 3 modulo 4.
 * @param stride in bytes
 * @param columns a multiple of 4
 */
export function dots(rows: usize, stride: i32, count: i32, x: usize, columns: i32, out: usize): void {
  const zero = f64x2.splat(0);
  const bytes = columns << 3;
  const end = x + bytes;
  const third = stride << 1;
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    let a0 = zero;
    let a1 = zero;
    let b0 = zero;
    let b1 = zero;
    let c0 = zero;
    let c1 = zero;
    let d0 = zero;
    let d1 = zero;
    let p = rows;
    let q = rows + third;
    for (let at = x; at < end; at += 32) {
      const low = v128.load(at);
      const high = v128.load(at, 16);
      a0 = f64x2.add(a0, f64x2.mul(v128.load(p), low));
      a1 = f64x2.add(a1, f64x2.mul(v128.load(p, 16), high));
      b0 = f64x2.add(b0, f64x2.mul(v128.load(p + stride), low));
      b1 = f64x2.add(b1, f64x2.mul(v128.load(p + stride, 16), high));
      c0 = f64x2.add(c0, f64x2.mul(v128.load(q), low));
      c1 = f64x2.add(c1, f64x2.mul(v128.load(q, 16), high));
      d0 = f64x2.add(d0, f64x2.mul(v128.load(q + stride), low));
      d1 = f64x2.add(d1, f64x2.mul(v128.load(q + stride, 16), high));
      p += 32;
      q += 32;
    }
    store<f64>(out, total64(a0, a1));
    store<f64>(out, total64(b0, b1), 8);
    store<f64>(out, total64(c0, c1), 16);
    store<f64>(out, total64(d0, d1), 24);
    rows += third << 1;
    out += 32;
  }
  for (; i < count; i++) {
    let a0 = zero;
    let a1 = zero;
    let p = rows;
    for (let at = x; at < end; at += 32) {
      a0 = f64x2.add(a0, f64x2.mul(v128.load(p), v128.load(at)));
      a1 = f64x2.add(a1, f64x2.mul(v128.load(p, 16), v128.load(at, 16)));
      p += 32;
    }
    store<f64>(out, total64(a0, a1));
    rows += stride;
    out += 8;
  }
}
