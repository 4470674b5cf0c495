/**
 * Source, in AssemblyScript, of the machine code in `src/image/resample-simd.ts`. Pointers are offsets into the module's memory.
 *
 * Compiled with assemblyscript, a dependency of the tests alone (one compiles it again and compares the committed bytes):
 * asc resample.as.ts --optimizeLevel 3 --shrinkLevel 1 --runtime stub --enable simd --noAssert -o resample.wasm
 */

/**
 * Rows of 3-byte pixels: sums with 17 fractional bits, rounded and clamped to bytes; four bytes are written an output.
 * Pixels come two by two, weights as pairs of upper parts (w >> 8) and of lower parts (w & 255), 8 bytes a pair of weights.
 */
export function rows(
  input: usize,
  rowBytes: i32,
  rowCount: i32,
  outputs: i32,
  starts: usize,
  weights: usize,
  pairs: i32,
  out: usize,
): void {
  const zero = i32x4.splat(0);
  const half = i32x4.splat(1 << 16);
  for (let y = 0; y < rowCount; y++) {
    const row = input + y * rowBytes;
    let w = weights;
    for (let i = 0; i < outputs; i++) {
      let p = row + 3 * load<i32>(starts + (i << 2));
      const end = w + (pairs << 3);
      let upper = zero;
      let lower = zero;
      while (w < end) {
        // red, red, green, green, blue, blue of two neighbours, as 16-bit integers
        const pixels = i8x16.shuffle(
          v128.load64_zero(p),
          zero,
          0,
          16,
          3,
          16,
          1,
          16,
          4,
          16,
          2,
          16,
          5,
          16,
          16,
          16,
          16,
          16,
        );
        upper = i32x4.add(upper, i32x4.dot_i16x8_s(pixels, v128.load32_splat(w)));
        lower = i32x4.add(lower, i32x4.dot_i16x8_s(pixels, v128.load32_splat(w, 4)));
        p += 6;
        w += 8;
      }
      const sum = i32x4.shr_s(i32x4.add(i32x4.add(i32x4.shl(upper, 8), lower), half), 17);
      const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(sum, sum), sum);
      // The fourth byte is overwritten by the next output; the last one's is spare.
      v128.store_lane<i32>(out, bytes, 0);
      out += 3;
    }
  }
}

/** Columns, sixteen bytes at a time; the last block may reach into spare bytes. Weights as they are, 4 bytes each. */
export function columns(
  input: usize,
  rowBytes: i32,
  outputs: i32,
  starts: usize,
  counts: usize,
  weights: usize,
  stride: i32,
  out: usize,
): void {
  const half = i32x4.splat(1 << 16);
  for (let i = 0; i < outputs; i++) {
    const first = input + load<i32>(starts + (i << 2)) * rowBytes;
    const begin = weights + ((i * stride) << 2);
    const end = begin + (load<i32>(counts + (i << 2)) << 2);
    for (let x = 0; x < rowBytes; x += 16) {
      let a = half;
      let b = half;
      let c = half;
      let d = half;
      let p = first + x;
      for (let w = begin; w < end; w += 4) {
        const bytes = v128.load(p);
        const weight = v128.load32_splat(w);
        const low = i16x8.extend_low_i8x16_u(bytes);
        const high = i16x8.extend_high_i8x16_u(bytes);
        a = i32x4.add(a, i32x4.mul(i32x4.extend_low_i16x8_u(low), weight));
        b = i32x4.add(b, i32x4.mul(i32x4.extend_high_i16x8_u(low), weight));
        c = i32x4.add(c, i32x4.mul(i32x4.extend_low_i16x8_u(high), weight));
        d = i32x4.add(d, i32x4.mul(i32x4.extend_high_i16x8_u(high), weight));
        p += rowBytes;
      }
      const ab = i16x8.narrow_i32x4_s(i32x4.shr_s(a, 17), i32x4.shr_s(b, 17));
      const cd = i16x8.narrow_i32x4_s(i32x4.shr_s(c, 17), i32x4.shr_s(d, 17));
      v128.store(out + x, i8x16.narrow_i16x8_u(ab, cd));
    }
    out += rowBytes;
  }
}

/** Adds up to 257 rows, each `pitch` bytes (a multiple of 16) after the last, to 16-bit sums. */
export function addRows(input: usize, pitch: i32, rowCount: i32, out: usize): void {
  for (let x = 0; x < pitch; x += 16) {
    let low = i16x8.splat(0);
    let high = i16x8.splat(0);
    let p = input + x;
    for (let y = 0; y < rowCount; y++) {
      const bytes = v128.load(p);
      low = i16x8.add(low, i16x8.extend_low_i8x16_u(bytes));
      high = i16x8.add(high, i16x8.extend_high_i8x16_u(bytes));
      p += pitch;
    }
    v128.store(out, low);
    v128.store(out, high, 16);
    out += 32;
  }
}
