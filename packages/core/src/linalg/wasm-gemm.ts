/** Core's fastest matrix product: packed, register-blocked WebAssembly SIMD, with the typed-array kernel where that is refused. */

import { expected } from '../errors.ts';
import type { GemmShape } from '../gemm.ts';
import { createTypedArrayGemm, INNER, type PortableGemm } from './typed-array-gemm.ts';
import { choleskyPanel } from './wasm-cholesky-panel.ts';
import { linearAlgebraModule } from './wasm-module.ts';
import {
  holdMemory,
  LEFT,
  MEMORY_BYTES,
  packSide,
  readTile,
  RIGHT,
  TILE,
  TILE_COLUMNS,
  TILE_ENTRIES,
  TILE_ROWS,
  TURN_MULTIPLICATIONS,
  writeTile,
  type Floats,
  type Kernel,
  type Side,
} from './wasm-tiles.ts';

/** Rows of a tile of `A A^T`, whose tiles above the diagonal are mirrored, not computed. */
const SYMMETRIC_ROWS = 128;

/**
 * `out = op(A) op(B)`, or `out -=` it. Each entry sums its products in ascending order of the inner index, stripe by stripe,
 * so it depends on its own row and column alone.
 */
async function multiplyInto(
  kernel: Kernel,
  left: Side,
  right: Side,
  k: number,
  out: Floats,
  subtract: boolean,
): Promise<void> {
  const { module, bytes, work, yieldToHost } = kernel;
  const multiply = bytes === 8 ? module.multiply64 : module.multiply32;
  const group = bytes === 8 ? 4 : 8;
  const m = left.outer;
  const n = right.outer;
  const symmetric =
    !subtract && m === n && left.innerAlong === right.innerAlong && sameValues(left.values, right.values);
  const token = {};
  let packed: number | undefined;
  for (let j0 = 0; j0 < n; j0 += TILE_COLUMNS) {
    const width = Math.min(TILE_COLUMNS, n - j0);
    const rowsMost = symmetric
      ? SYMMETRIC_ROWS
      : Math.min(TILE_ROWS, Math.floor(TILE_ENTRIES / (Math.ceil(width / group) * group)) & ~3);
    for (let i0 = symmetric ? j0 : 0; i0 < m; i0 += rowsMost) {
      const rows = Math.min(rowsMost, m - i0);
      const columns = symmetric ? Math.min(width, i0 + rows - j0) : width;
      const groups = Math.ceil(columns / group);
      const pitch = groups * group;
      let held = false;
      for (let p0 = 0; p0 < k; p0 += INNER) {
        const inner = Math.min(INNER, k - p0);
        if (!holdMemory(token)) {
          packed = undefined;
          held = false;
        }
        if (!held && (subtract || p0 > 0)) readTile(kernel, pitch, i0, rows, j0, columns, out, n);
        held = true;
        if (packed !== j0 || k > INNER) {
          packSide(kernel, right, k, j0, width, p0, inner, group, RIGHT);
          packed = j0;
        }
        packSide(kernel, left, k, i0, rows, p0, inner, 4, LEFT);
        multiply(LEFT, RIGHT, inner, Math.ceil(rows / 4), groups, TILE, pitch * bytes, subtract ? -1 : p0 > 0 ? 1 : 0);
        const last = p0 + inner === k;
        work.count += rows * columns * inner;
        const turn = yieldToHost !== undefined && work.count >= TURN_MULTIPLICATIONS;
        if (last || turn) writeTile(kernel, pitch, i0, rows, j0, columns, out, n, symmetric && last);
        if (turn) {
          work.count = 0;
          await yieldToHost();
        }
      }
    }
  }
}

/** Whether two arrays are the same stretch of memory. */
export function sameValues(a: Float32Array | Float64Array, b: Float32Array | Float64Array): boolean {
  return a === b || (a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length);
}

type Singles = Float32Array<ArrayBuffer>;
type Doubles = Float64Array<ArrayBuffer>;

/** A vector times a matrix whose inner index runs along memory: copying the matrix would cost more than the product. */
function alongVector({ m, n, transposeA = false, transposeB = false }: GemmShape): boolean {
  return (n <= 2 && !transposeA) || (m <= 2 && transposeB);
}

/**
 * A `Gemm` that needs no runtime; its name says what it found. `wasm relaxed simd` fuses multiplications with additions,
 * `wasm simd` does not, `typescript` is the typed-array kernel where WebAssembly is missing or forbidden. The last two give the
 * same f64 bits on every engine, the first gives an engine's own; f32 sums are f32 in WebAssembly, f64 in the fallback. All are
 * the same where sums are exact. Works in 4 MB of its own, whatever the shape.
 * @param yieldToHost called between slices of long products, every few milliseconds, to let an event loop turn
 */
export function createWasmGemm(yieldToHost?: () => Promise<void>): PortableGemm {
  const fallback = createTypedArrayGemm(yieldToHost);
  const work = { count: 0 };
  const kernelFor = (bytes: 4 | 8): Kernel | undefined => {
    const module = linearAlgebraModule(MEMORY_BYTES);
    if (module === undefined) return undefined;
    const { buffer } = module.memory;
    const view = bytes === 8 ? new Float64Array(buffer) : new Float32Array(buffer, 0, buffer.byteLength >> 2);
    return { module, view, bytes, work, yieldToHost };
  };
  const multiply = async (
    kernel: Kernel,
    a: Floats,
    b: Floats,
    shape: GemmShape,
    out: Floats,
    subtract = false,
  ): Promise<void> => {
    const { m, n, k, transposeA = false, transposeB = false } = shape;
    // Past the end of a short side lie another product's numbers.
    if (a.length !== m * k) throw expected('a', `${m} x ${k} = ${m * k} numbers`, a);
    if (b.length !== k * n) throw expected('b', `${k} x ${n} = ${k * n} numbers`, b);
    if (out.length !== m * n) throw expected('c', `${m} x ${n} = ${m * n} numbers`, out);
    if (k === 0 && !subtract) out.fill(0);
    if (m === 0 || n === 0 || k === 0) return;
    const left: Side = { values: a, outer: m, innerAlong: !transposeA };
    const right: Side = { values: b, outer: n, innerAlong: transposeB };
    await multiplyInto(kernel, left, right, k, out, subtract);
  };
  return {
    get name() {
      return linearAlgebraModule(MEMORY_BYTES)?.name ?? fallback.name;
    },
    async f32(a: Singles, b: Singles, shape: GemmShape, out?: Singles) {
      const kernel = kernelFor(4);
      if (kernel === undefined) return fallback.f32(a, b, shape);
      const product = out ?? new Float32Array(shape.m * shape.n);
      await multiply(kernel, a, b, shape, product);
      return product;
    },
    async f64(a: Doubles, b: Doubles, shape: GemmShape, out?: Doubles) {
      const kernel = alongVector(shape) ? undefined : kernelFor(8);
      if (kernel === undefined) return fallback.f64(a, b, shape);
      const product = out ?? new Float64Array(shape.m * shape.n);
      await multiply(kernel, a, b, shape, product);
      return product;
    },
    async subtract64(c: Doubles, a: Doubles, b: Doubles, shape: GemmShape) {
      const kernel = alongVector(shape) ? undefined : kernelFor(8);
      if (kernel === undefined) return fallback.subtract64(c, a, b, shape);
      await multiply(kernel, a, b, shape, c, true);
    },
    async subtract32(c: Singles, a: Singles, b: Singles, shape: GemmShape) {
      const kernel = kernelFor(4);
      if (kernel === undefined) return fallback.subtract32(c, a, b, shape);
      await multiply(kernel, a, b, shape, c, true);
    },
    async choleskyPanel64(panel: Doubles, width: number, before: readonly Doubles[], least: Float64Array, onInverse?) {
      const kernel = kernelFor(8);
      return kernel && choleskyPanel(kernel, panel, width, before, { least, onInverse });
    },
    async choleskyRows64(
      panel: Doubles,
      width: number,
      before: readonly Doubles[],
      across: readonly Doubles[],
      inverse: Promise<Doubles | undefined>,
    ) {
      const kernel = kernelFor(8);
      const solved = kernel && (await choleskyPanel(kernel, panel, width, before, { across, inverse }));
      return solved !== undefined;
    },
  };
}

/** `createWasmGemm()` without turns for a host: for workers, and where products are small. */
export const wasmGemm: PortableGemm = createWasmGemm();
