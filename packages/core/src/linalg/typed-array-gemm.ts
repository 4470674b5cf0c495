/** Core's own matrix product: a register-blocked kernel on typed arrays, used where no runtime injects a faster one. */

import type { Gemm, GemmShape } from '../gemm.ts';

type Floats = Float32Array | Float64Array;

/** What core's own engines have of the contract. */
export type PortableGemm = Gemm &
  Required<Pick<Gemm, 'subtract64' | 'subtract32'>> & {
    /**
     * `choleskyPanel64` for rows below a diagonal block that another thread factors.
     * @param across what every panel `before` has in the rows of that block
     * @param inverse of the block; undefined where it has none
     * @returns whether `panel` was solved
     */
    choleskyRows64?(
      panel: Float64Array,
      width: number,
      before: readonly Float64Array[],
      across: readonly Float64Array[],
      inverse: Promise<Float64Array | undefined>,
    ): Promise<boolean>;
  };

/** Inner dimension of a tile: four packed rows of 256 doubles are 8 KB and stay in the first-level cache. */
export const INNER = 256;
/** Rows of the left side that pass over one packed right side before the next is taken. */
const OUTER = 64;
/** Multiplications between two turns of the host: some 15 ms on a desktop. */
const TURN_MULTIPLICATIONS = 2 ** 24;

/** `matrix` (rows x columns, row-major) as doubles; its transpose where `transpose` is set. */
function pack(matrix: Floats, rows: number, columns: number, transpose: boolean): Float64Array {
  if (!transpose) return matrix instanceof Float64Array ? matrix : Float64Array.from(matrix);
  const packed = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) packed[j * rows + i] = matrix[i * columns + j];
  return packed;
}

/**
 * `out += a b^T` for a (m x k) and b (n x k), both row-major doubles. Each entry sums its products in ascending order of the
 * inner index, tile by tile, so it depends on its own row and column alone.
 */
function multiplyInto(a: Float64Array, b: Float64Array, m: number, n: number, k: number, out: Float64Array): void {
  for (let k0 = 0; k0 < k; k0 += INNER) {
    const k1 = Math.min(k, k0 + INNER);
    for (let i0 = 0; i0 < m; i0 += OUTER) {
      const i1 = Math.min(m, i0 + OUTER);
      for (let j = 0; j < n; j += 4) {
        // The last columns repeat one that exists: the kernel stays branch-free and the repeats are not stored.
        const b0 = j * k;
        const b1 = Math.min(j + 1, n - 1) * k;
        const b2 = Math.min(j + 2, n - 1) * k;
        const b3 = Math.min(j + 3, n - 1) * k;
        const width = Math.min(4, n - j);
        for (let i = i0; i < i1; i += 2) {
          const a0 = i * k;
          const a1 = Math.min(i + 1, m - 1) * k;
          let s00 = 0;
          let s01 = 0;
          let s02 = 0;
          let s03 = 0;
          let s10 = 0;
          let s11 = 0;
          let s12 = 0;
          let s13 = 0;
          for (let p = k0; p < k1; p++) {
            const x = a[a0 + p];
            const y = a[a1 + p];
            const u = b[b0 + p];
            const v = b[b1 + p];
            const w = b[b2 + p];
            const z = b[b3 + p];
            s00 += x * u;
            s01 += x * v;
            s02 += x * w;
            s03 += x * z;
            s10 += y * u;
            s11 += y * v;
            s12 += y * w;
            s13 += y * z;
          }
          const first = i * n + j;
          out[first] += s00;
          if (width > 1) out[first + 1] += s01;
          if (width > 2) out[first + 2] += s02;
          if (width > 3) out[first + 3] += s03;
          if (i + 1 < m) {
            const second = first + n;
            out[second] += s10;
            if (width > 1) out[second + 1] += s11;
            if (width > 2) out[second + 2] += s12;
            if (width > 3) out[second + 3] += s13;
          }
        }
      }
    }
  }
}

/** Rows of the product in slices, so that a host may turn between two of them; slicing does not change a bit. */
async function product(
  a: Floats,
  b: Floats,
  shape: GemmShape,
  yieldToHost: (() => Promise<void>) | undefined,
): Promise<Float64Array> {
  const { m, n, k, transposeA = false, transposeB = false } = shape;
  const left = pack(a, transposeA ? k : m, transposeA ? m : k, transposeA);
  const right = pack(b, transposeB ? n : k, transposeB ? k : n, !transposeB);
  const out = new Float64Array(m * n);
  const slice = yieldToHost ? Math.max(2, Math.floor(TURN_MULTIPLICATIONS / Math.max(1, n * k)) & ~1) : m;
  for (let i = 0; i < m; i += slice) {
    const rows = Math.min(slice, m - i);
    multiplyInto(left.subarray(i * k, (i + rows) * k), right, rows, n, k, out.subarray(i * n, (i + rows) * n));
    if (i + rows < m) await yieldToHost?.();
  }
  return out;
}

async function subtractProduct(
  c: Floats,
  a: Floats,
  b: Floats,
  shape: GemmShape,
  yieldToHost: (() => Promise<void>) | undefined,
): Promise<void> {
  const update = await product(a, b, shape, yieldToHost);
  for (let i = 0; i < update.length; i++) c[i] -= update[i];
}

/**
 * `Gemm` without a runtime: sums in f64, so f32 products of integers are exact well beyond the contract's 2^24.
 * @param yieldToHost called between slices of long products, to let an event loop turn
 */
export function createTypedArrayGemm(yieldToHost?: () => Promise<void>): PortableGemm {
  return {
    name: 'typescript',
    async f32(a: Float32Array, b: Float32Array, shape: GemmShape): Promise<Float32Array> {
      return Float32Array.from(await product(a, b, shape, yieldToHost));
    },
    async f64(a: Float64Array, b: Float64Array, shape: GemmShape): Promise<Float64Array> {
      return product(a, b, shape, yieldToHost);
    },
    subtract64: (c, a, b, shape) => subtractProduct(c, a, b, shape, yieldToHost),
    subtract32: (c, a, b, shape) => subtractProduct(c, a, b, shape, yieldToHost),
  };
}

/** `createTypedArrayGemm()` without turns for a host. */
export const typedArrayGemm: PortableGemm = createTypedArrayGemm();
