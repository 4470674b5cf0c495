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

/** Eight codes as 16-bit numbers. Those at even places are stored with their sign bit turned, which adds 128 to them, modulo 256. */
function eight(codes: usize): v128 {
  return i16x8.extend_low_i8x16_s(v128.xor(v128.load64_zero(codes), i16x8.splat(128)));
}

/**
 * Inner products of a query with rows of int8 codes, two rows at a time: `out[i] = sum_j query[j] codes[i * stride + j]`.
 * @param codes those at even places with their sign bit turned; a row beyond the last may be read
 * @param columns a multiple of 8; the query, 16-bit, is zero beyond its end, so that what rows have there does not count
 * @param out may be written up to the next even row
 */
export function scan(codes: usize, stride: i32, rows: i32, query: usize, columns: i32, out: usize): void {
  for (let i = 0; i < rows; i += 2) {
    let a = i32x4.splat(0);
    let b = a;
    let q = query;
    const end = codes + columns;
    for (let p = codes; p < end; p += 8) {
      const x = v128.load(q);
      a = i32x4.add(a, i32x4.dot_i16x8_s(eight(p), x));
      b = i32x4.add(b, i32x4.dot_i16x8_s(eight(p + stride), x));
      q += 16;
    }
    store<i32>(out, total(a));
    store<i32>(out, total(b), 4);
    codes += stride << 1;
    out += 8;
  }
}

/**
 * Takes a query of codes for `scanCodes`: for every 16 codes the eight x of the even places, then eight `y - 256 x`, y of the odd ones,
 * 16-bit.
 * @param codes 8-bit, from -127 to 127
 * @param last the codes taken before
 * @param columns a multiple of 16
 * @returns whether they are others than those
 */
export function takeCodes(codes: usize, last: usize, columns: i32, query: usize): bool {
  const end = codes + columns;
  let changes = i32x4.splat(0);
  while (codes < end) {
    const v = v128.load(codes);
    changes = v128.or(changes, v128.xor(v, v128.load(last)));
    v128.store(last, v);
    const upper = i16x8.shl(v, 8);
    v128.store(query, i16x8.shr_s(upper, 8));
    v128.store(query, i16x8.sub(i16x8.shr_s(v, 8), upper), 16);
    codes += 16;
    last += 16;
    query += 32;
  }
  return v128.any_true(changes);
}

/**
 * The same as `scan` for a query of codes, four rows at a time and in two thirds of the time. A vector of codes, read as 16-bit numbers, is `256 h + u`: h the
 * code in its upper byte, u the one in its lower byte plus 128. So `<v, x> + <h, y - 256 x> = <u, x> + <h, y>`, and codes need not be
 * unpacked.
 * @param columns a multiple of 16
 * @param query what `takeCodes` made
 */
export function scanCodes(codes: usize, stride: i32, rows: i32, query: usize, columns: i32, out: usize): void {
  const zero = i32x4.splat(0);
  let excess = zero;
  for (let q = query; q < query + (columns << 1); q += 32) {
    excess = i32x4.add(excess, i32x4.dot_i16x8_s(v128.load(q), i16x8.splat(128)));
  }
  // 128 was added to every u.
  const start = i32x4.neg(excess);
  const second = stride;
  const third = stride << 1;
  const fourth = third + stride;
  for (let i = 0; i < rows; i += 4) {
    let a = start;
    let b = start;
    let c = start;
    let d = start;
    let q = query;
    const end = codes + columns;
    for (let p = codes; p < end; p += 16) {
      const x = v128.load(q);
      const y = v128.load(q, 16);
      let v = v128.load(p);
      a = i32x4.add(a, i32x4.add(i32x4.dot_i16x8_s(v, x), i32x4.dot_i16x8_s(i16x8.shr_s(v, 8), y)));
      v = v128.load(p + second);
      b = i32x4.add(b, i32x4.add(i32x4.dot_i16x8_s(v, x), i32x4.dot_i16x8_s(i16x8.shr_s(v, 8), y)));
      v = v128.load(p + third);
      c = i32x4.add(c, i32x4.add(i32x4.dot_i16x8_s(v, x), i32x4.dot_i16x8_s(i16x8.shr_s(v, 8), y)));
      v = v128.load(p + fourth);
      d = i32x4.add(d, i32x4.add(i32x4.dot_i16x8_s(v, x), i32x4.dot_i16x8_s(i16x8.shr_s(v, 8), y)));
      q += 32;
    }
    store<i32>(out, total(a));
    store<i32>(out, total(b), 4);
    store<i32>(out, total(c), 8);
    store<i32>(out, total(d), 12);
    codes += fourth + stride;
    out += 16;
  }
}

/** The sum of a vector's four numbers, where it may need more than 32 bits. */
function wideTotal(v: v128): f64 {
  const pairs = i64x2.add(i64x2.extend_low_i32x4_s(v), i64x2.extend_high_i32x4_s(v));
  return <f64>(i64x2.extract_lane(pairs, 0) + i64x2.extract_lane(pairs, 1));
}

/** Columns whose products with 16-bit halves fit 31 bits in each of four sums: `2048 / 4 * 127 * 2^15 < 2^31`. */
const HALVES_COLUMNS = 2048;

/**
 * Inner products of codes with rows of whole numbers of 32 bits, two rows at a time: `out[i] = units[i] sum_j x[j] rows[i, j]`, sums
 * exact as 64-bit floats. A row has, for every eight columns, eight upper halves, then eight lower ones; both signed, the number is `65536 upper + lower`.
 * @param stride in bytes
 * @param count even
 * @param x 8-bit
 * @param columns a multiple of 16
 */
export function halves(rows: usize, stride: i32, count: i32, x: usize, columns: i32, units: usize, out: usize): void {
  const zero = i32x4.splat(0);
  for (let i = 0; i < count; i += 2) {
    let first = 0.0;
    let second = 0.0;
    let p = rows;
    for (let from = 0; from < columns; from += HALVES_COLUMNS) {
      let a = zero;
      let b = zero;
      let c = zero;
      let d = zero;
      let at = x + from;
      const end = x + min(columns, from + HALVES_COLUMNS);
      while (at < end) {
        let v = v128.load8x8_s(at);
        a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load(p), v));
        b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load(p, 16), v));
        c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load(p + stride), v));
        d = i32x4.add(d, i32x4.dot_i16x8_s(v128.load(p + stride, 16), v));
        v = v128.load8x8_s(at, 8);
        a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load(p, 32), v));
        b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load(p, 48), v));
        c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load(p + stride, 32), v));
        d = i32x4.add(d, i32x4.dot_i16x8_s(v128.load(p + stride, 48), v));
        p += 64;
        at += 16;
      }
      first += wideTotal(a) * 65536 + wideTotal(b);
      second += wideTotal(c) * 65536 + wideTotal(d);
    }
    store<f64>(out, first * load<f64>(units));
    store<f64>(out, second * load<f64>(units, 8), 8);
    rows += stride << 1;
    units += 16;
    out += 16;
  }
}

/** The largest absolute value of `count` doubles, a multiple of 2; NaN where one is. */
export function largest(numbers: usize, count: i32): f64 {
  let most = f64x2.splat(0);
  for (let end = numbers + (count << 3); numbers < end; numbers += 16) {
    most = f64x2.max(most, f64x2.abs(v128.load(numbers)));
  }
  return max(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1));
}

/** Two doubles times `factor`, as the nearest whole numbers of 32 bits. */
function whole(numbers: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f64x2_s_zero(f64x2.nearest(f64x2.mul(v128.load(numbers), factor)));
}

function four(numbers: usize, factor: v128): v128 {
  return i64x2.shuffle(whole(numbers, factor), whole(numbers + 16, factor), 0, 2);
}

/**
 * A row for `halves`, of doubles times `inverse`.
 * @param columns a multiple of 8
 */
export function takeRow(numbers: usize, columns: i32, inverse: f64, row: usize): void {
  const factor = f64x2.splat(inverse);
  const half = i32x4.splat(32768);
  for (let end = numbers + (columns << 3); numbers < end; numbers += 64) {
    const low = four(numbers, factor);
    const high = four(numbers + 32, factor);
    const upper = i32x4.shr_s(i32x4.add(low, half), 16);
    v128.store(row, i16x8.narrow_i32x4_s(upper, i32x4.shr_s(i32x4.add(high, half), 16)));
    v128.store(row, i16x8.shuffle(low, high, 0, 2, 4, 6, 8, 10, 12, 14), 16);
    row += 32;
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
 * @param count a multiple of 4
 * @param columns a multiple of 4
 */
export function dots(rows: usize, stride: i32, count: i32, x: usize, columns: i32, out: usize): void {
  const zero = f64x2.splat(0);
  const bytes = columns << 3;
  const end = x + bytes;
  const third = stride << 1;
  for (let i = 0; i < count; i += 4) {
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
}
