/**
 * Source, in AssemblyScript, of the machine code in `src/linalg/wasm-module.ts`. Pointers are offsets into the module's memory.
 *
 * Compiled with assemblyscript, a dependency of the tests alone (one compiles it again and compares the committed bytes):
 * asc linear-algebra.as.ts --optimizeLevel 3 --shrinkLevel 1 --runtime stub --enable simd --noAssert -o linear-algebra.wasm
 * Where an engine has relaxed SIMD, `wasm-module.ts` makes fused multiply-adds of `add(mul(a, b), sum)`, in this order and of
 * variables: twice the speed on ARM and Intel, an eighth more on AMD.
 *
 * Products run on packed groups: 4 rows of A (or 4 columns of B in f64, 8 in f32) stored inner index by inner index. Groups
 * are whole: what lies beyond the last row or column is whatever memory holds, and its sums are never read.
 * Without relaxed SIMD every engine gives the same bits; with it, one engine on one processor always gives its own.
 */

/** Four rows of doubles from `rows` (`pitch` bytes apart), interleaved: 32 bytes an inner index. May write 32 bytes more. */
export function packRows64(rows: usize, pitch: i32, inner: i32, groups: i32, out: usize): void {
  for (let g = 0; g < groups; g++) {
    let a = rows + ((g * pitch) << 2);
    let to = out + ((g * inner) << 5);
    for (let p = 0; p < inner; p += 2) {
      const b = a + pitch;
      const c = b + pitch;
      const d = c + pitch;
      const x = v128.load(a);
      const y = v128.load(b);
      const z = v128.load(c);
      const w = v128.load(d);
      v128.store(to, v128.shuffle<i64>(x, y, 0, 2));
      v128.store(to, v128.shuffle<i64>(z, w, 0, 2), 16);
      v128.store(to, v128.shuffle<i64>(x, y, 1, 3), 32);
      v128.store(to, v128.shuffle<i64>(z, w, 1, 3), 48);
      a += 16;
      to += 64;
    }
  }
}

/** Groups of four rows of floats, interleaved; an inner index takes `step` bytes, 16 or 32 (two groups side by side). */
export function packRows32(rows: usize, pitch: i32, inner: i32, groups: i32, step: i32, out: usize): void {
  for (let g = 0; g < groups; g++) {
    let a = rows + ((g * pitch) << 2);
    let to = step === 16 ? out + ((g * inner) << 4) : out + (((g >> 1) * inner) << 5) + ((g & 1) << 4);
    const end = to + inner * step;
    while (to < end) {
      const b = a + pitch;
      const c = b + pitch;
      const d = c + pitch;
      const x = v128.load(a);
      const y = v128.load(b);
      const z = v128.load(c);
      const w = v128.load(d);
      const xy = v128.shuffle<i32>(x, y, 0, 4, 1, 5);
      const zw = v128.shuffle<i32>(z, w, 0, 4, 1, 5);
      const uv = v128.shuffle<i32>(x, y, 2, 6, 3, 7);
      const st = v128.shuffle<i32>(z, w, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<i64>(xy, zw, 0, 2));
      to += step;
      // A later group must not be overwritten by the padding of this one: its other half is already there.
      if (to < end) v128.store(to, v128.shuffle<i64>(xy, zw, 1, 3));
      to += step;
      if (to < end) v128.store(to, v128.shuffle<i64>(uv, st, 0, 2));
      to += step;
      if (to < end) v128.store(to, v128.shuffle<i64>(uv, st, 1, 3));
      to += step;
      a += 16;
    }
  }
}

/** Groups of `step` bytes (16 or 32) of each of `inner` rows, `pitch` bytes apart. */
export function packColumns(rows: usize, pitch: i32, inner: i32, groups: i32, step: i32, out: usize): void {
  for (let g = 0; g < groups; g++) {
    let from = rows + g * step;
    const end = out + inner * step;
    while (out < end) {
      v128.store(out, v128.load(from));
      if (step === 32) v128.store(out, v128.load(from, 16), 16);
      out += step;
      from += pitch;
    }
  }
}

/** `C = A B` (sign 0), `C += A B` (1) or `C -= A B` (-1): 4 x 4 sums of doubles in registers; rows of C are `pitch` bytes apart. */
export function multiply64(
  a: usize,
  b: usize,
  inner: i32,
  rowGroups: i32,
  columnGroups: i32,
  c: usize,
  pitch: i32,
  sign: i32,
): void {
  const factor = f64x2.splat(sign);
  const groupBytes = inner << 5;
  for (let j = 0; j < columnGroups; j++) {
    let p = a;
    let to = c + (j << 5);
    for (let i = 0; i < rowGroups; i++) {
      let q = b;
      let s00 = f64x2.splat(0);
      let s01 = s00;
      let s10 = s00;
      let s11 = s00;
      let s20 = s00;
      let s21 = s00;
      let s30 = s00;
      let s31 = s00;
      const end = p + groupBytes;
      while (p < end) {
        const u = v128.load(q);
        const v = v128.load(q, 16);
        const x = v128.load64_splat(p);
        s00 = f64x2.add(f64x2.mul(x, u), s00);
        s01 = f64x2.add(f64x2.mul(x, v), s01);
        const y = v128.load64_splat(p, 8);
        s10 = f64x2.add(f64x2.mul(y, u), s10);
        s11 = f64x2.add(f64x2.mul(y, v), s11);
        const z = v128.load64_splat(p, 16);
        s20 = f64x2.add(f64x2.mul(z, u), s20);
        s21 = f64x2.add(f64x2.mul(z, v), s21);
        const w = v128.load64_splat(p, 24);
        s30 = f64x2.add(f64x2.mul(w, u), s30);
        s31 = f64x2.add(f64x2.mul(w, v), s31);
        p += 32;
        q += 32;
      }
      const t1 = to + pitch;
      const t2 = t1 + pitch;
      const t3 = t2 + pitch;
      if (sign !== 0) {
        s00 = f64x2.add(v128.load(to), f64x2.mul(s00, factor));
        s01 = f64x2.add(v128.load(to, 16), f64x2.mul(s01, factor));
        s10 = f64x2.add(v128.load(t1), f64x2.mul(s10, factor));
        s11 = f64x2.add(v128.load(t1, 16), f64x2.mul(s11, factor));
        s20 = f64x2.add(v128.load(t2), f64x2.mul(s20, factor));
        s21 = f64x2.add(v128.load(t2, 16), f64x2.mul(s21, factor));
        s30 = f64x2.add(v128.load(t3), f64x2.mul(s30, factor));
        s31 = f64x2.add(v128.load(t3, 16), f64x2.mul(s31, factor));
      }
      v128.store(to, s00);
      v128.store(to, s01, 16);
      v128.store(t1, s10);
      v128.store(t1, s11, 16);
      v128.store(t2, s20);
      v128.store(t2, s21, 16);
      v128.store(t3, s30);
      v128.store(t3, s31, 16);
      to = t3 + pitch;
    }
    b += groupBytes;
  }
}

/** As `multiply64` for floats: 4 x 8 sums. */
export function multiply32(
  a: usize,
  b: usize,
  inner: i32,
  rowGroups: i32,
  columnGroups: i32,
  c: usize,
  pitch: i32,
  sign: i32,
): void {
  const factor = f32x4.splat(sign as f32);
  const groupBytes = inner << 4;
  for (let j = 0; j < columnGroups; j++) {
    let p = a;
    let to = c + (j << 5);
    for (let i = 0; i < rowGroups; i++) {
      let q = b;
      let s00 = f32x4.splat(0);
      let s01 = s00;
      let s10 = s00;
      let s11 = s00;
      let s20 = s00;
      let s21 = s00;
      let s30 = s00;
      let s31 = s00;
      const end = p + groupBytes;
      while (p < end) {
        const u = v128.load(q);
        const v = v128.load(q, 16);
        const x = v128.load32_splat(p);
        s00 = f32x4.add(f32x4.mul(x, u), s00);
        s01 = f32x4.add(f32x4.mul(x, v), s01);
        const y = v128.load32_splat(p, 4);
        s10 = f32x4.add(f32x4.mul(y, u), s10);
        s11 = f32x4.add(f32x4.mul(y, v), s11);
        const z = v128.load32_splat(p, 8);
        s20 = f32x4.add(f32x4.mul(z, u), s20);
        s21 = f32x4.add(f32x4.mul(z, v), s21);
        const w = v128.load32_splat(p, 12);
        s30 = f32x4.add(f32x4.mul(w, u), s30);
        s31 = f32x4.add(f32x4.mul(w, v), s31);
        p += 16;
        q += 32;
      }
      const t1 = to + pitch;
      const t2 = t1 + pitch;
      const t3 = t2 + pitch;
      if (sign !== 0) {
        s00 = f32x4.add(v128.load(to), f32x4.mul(s00, factor));
        s01 = f32x4.add(v128.load(to, 16), f32x4.mul(s01, factor));
        s10 = f32x4.add(v128.load(t1), f32x4.mul(s10, factor));
        s11 = f32x4.add(v128.load(t1, 16), f32x4.mul(s11, factor));
        s20 = f32x4.add(v128.load(t2), f32x4.mul(s20, factor));
        s21 = f32x4.add(v128.load(t2, 16), f32x4.mul(s21, factor));
        s30 = f32x4.add(v128.load(t3), f32x4.mul(s30, factor));
        s31 = f32x4.add(v128.load(t3, 16), f32x4.mul(s31, factor));
      }
      v128.store(to, s00);
      v128.store(to, s01, 16);
      v128.store(t1, s10);
      v128.store(t1, s11, 16);
      v128.store(t2, s20);
      v128.store(t2, s21, 16);
      v128.store(t3, s30);
      v128.store(t3, s31, 16);
      to = t3 + pitch;
    }
    b += groupBytes << 1;
  }
}

/**
 * Factors the symmetric matrix in the lower triangle at `a` (row-major, `pitch` bytes a row) in place and clears what lies above
 * the diagonal. Pivot j must be finite and above `least[j]`.
 * @returns -1, or the pivot that is not, whose value stands on the diagonal
 */
export function factor64(a: usize, pitch: i32, order: i32, least: usize): i32 {
  for (let j = 0; j < order; j++) {
    const rowJ = a + j * pitch;
    const end = rowJ + ((j & ~1) << 3);
    let root: f64 = 0;
    for (let i = j; i < order; i++) {
      const rowI = a + i * pitch;
      let sums = f64x2.splat(0);
      let q = rowI;
      for (let p = rowJ; p < end; p += 16) {
        sums = f64x2.add(sums, f64x2.mul(v128.load(p), v128.load(q)));
        q += 16;
      }
      let dot = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
      if (j & 1) dot += load<f64>(end) * load<f64>(q);
      const at = rowI + (j << 3);
      const rest = load<f64>(at) - dot;
      if (i > j) {
        store<f64>(at, rest / root);
        store<f64>(rowJ + (i << 3), 0);
      } else {
        if (!(rest > load<f64>(least + (j << 3)) && rest < Infinity)) {
          store<f64>(at, rest);
          return j;
        }
        root = Math.sqrt(rest);
        store<f64>(at, root);
      }
    }
  }
  return -1;
}

/** The inverse of the lower triangle at `a`, `order` x `order` without gaps at `out`, which holds zeros. */
export function invertLower64(a: usize, pitch: i32, order: i32, out: usize): void {
  const bytes = order << 3;
  for (let i = 0; i < order; i++) {
    const row = out + i * bytes;
    const own = a + i * pitch;
    for (let p = 0; p < i; p++) {
      const factor = v128.load64_splat(own + (p << 3));
      const other = out + p * bytes;
      // Two by two: beyond the other row's diagonal stands a zero.
      for (let at = 0; at <= p << 3; at += 16) {
        v128.store(row + at, f64x2.sub(v128.load(row + at), f64x2.mul(factor, v128.load(other + at))));
      }
    }
    const scale = 1 / load<f64>(own + (i << 3));
    for (let at = 0; at < i << 3; at += 8) store<f64>(row + at, load<f64>(row + at) * scale);
    store<f64>(row + (i << 3), scale);
  }
}
