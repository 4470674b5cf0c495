import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';

/** The same bits: vitest's own comparison takes seconds on a million numbers. */
function same(a: Float32Array | Float64Array, b: Float32Array | Float64Array): boolean {
  const bytes = (values: typeof a): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return a.constructor === b.constructor && bytes(a).equals(bytes(b));
}

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** Deterministic integers from -127 to 127, or noise in (-1, 1). */
function numbers(count: number, seed: number, integers: boolean): Float64Array {
  let state = seed >>> 0 || 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return integers ? ((state >>> 8) % 255) - 127 : state / 2 ** 31 - 1;
  });
}

function naive(a: Float64Array, b: Float64Array, shape: Shape): Float64Array {
  const { m, n, k, transposeA, transposeB } = shape;
  return Float64Array.from({ length: m * n }, (_, at) => {
    const i = Math.floor(at / n);
    const j = at % n;
    let sum = 0;
    for (let p = 0; p < k; p++) sum += a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j];
    return sum;
  });
}

const small = fc.integer({ min: 0, max: 13 });
const shapes = fc.record({
  m: small,
  n: small,
  k: fc.oneof(small, fc.constantFrom(255, 256, 257, 515)),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
});

/** Around the tiles' edges: 512 columns, 128 rows beside them, 512 rows of narrow products, 128 rows of symmetric ones. */
const tiled: Shape[] = [
  { m: 129, n: 513, k: 5 },
  { m: 7, n: 1030, k: 300, transposeB: true },
  { m: 515, n: 9, k: 3, transposeA: true },
  { m: 130, n: 520, k: 260, transposeA: true, transposeB: true },
  { m: 1025, n: 33, k: 257, transposeB: true },
];

/** A fresh copy of the engine, in a program that meets `WebAssembly` as given. */
async function engine(webAssembly: unknown) {
  vi.resetModules();
  vi.stubGlobal('WebAssembly', webAssembly);
  try {
    const { createWasmGemm, wasmGemm } = await import('../../../../packages/core/src/linalg/wasm-gemm.ts');
    const { linearAlgebraModule } = await import('../../../../packages/core/src/linalg/wasm-module.ts');
    // The name is asked for, so that the module is there before the global returns.
    return { createWasmGemm, wasmGemm, linearAlgebraModule, name: wasmGemm.name };
  } finally {
    vi.unstubAllGlobals();
  }
}

// Node 20 has relaxed SIMD behind a flag, later ones as it is.
if (Number.parseInt(process.versions.node, 10) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
const relaxed = await engine(WebAssembly);
const { CompileError, Instance, Module } = WebAssembly;
/** As an engine without relaxed SIMD: the module that uses it, which comes first, does not compile. */
const plain = await engine({
  Instance,
  Module: class Refusing {
    static modules = 0;
    constructor(bytes: Uint8Array<ArrayBuffer>) {
      if (Refusing.modules++ === 0) throw new CompileError('relaxed SIMD is not enabled');
      return new Module(bytes);
    }
  },
});
const refused = await engine(undefined);

it('the engines say what they are', () => {
  expect([relaxed.name, plain.name, refused.name]).toEqual(['wasm relaxed simd', 'wasm simd', 'typescript']);
});

describe.each([relaxed, plain])(
  'matrix products in WebAssembly: $name',
  ({ name, createWasmGemm, wasmGemm, linearAlgebraModule }) => {
    it('multiply integers exactly, transposed or not, of any size', async () => {
      await fc.assert(
        fc.asyncProperty(shapes, fc.integer(), async (shape, seed) => {
          const a = numbers(shape.m * shape.k, seed, true);
          const b = numbers(shape.k * shape.n, seed + 1, true);
          const product = naive(a, b, shape);
          expect(same(await wasmGemm.f64(a, b, shape), product)).toBe(true);
          expect(
            same(await wasmGemm.f32(Float32Array.from(a), Float32Array.from(b), shape), Float32Array.from(product)),
          ).toBe(true);
        }),
        { numRuns: 200 },
      );
    });

    it.each(tiled)('cross the edges of their tiles exactly: %o', async (shape) => {
      const a = numbers(shape.m * shape.k, 3, true);
      const b = numbers(shape.k * shape.n, 4, true);
      const product = naive(a, b, shape);
      expect(same(await wasmGemm.f64(a, b, shape), product)).toBe(true);
      expect(
        same(await wasmGemm.f32(Float32Array.from(a), Float32Array.from(b), shape), Float32Array.from(product)),
      ).toBe(true);
    });

    it('write into the place that is given, whatever was there', async () => {
      for (const shape of [
        { m: 5, n: 7, k: 9 },
        { m: 70, n: 30, k: 600 },
        { m: 3, n: 2, k: 4 },
        { m: 4, n: 5, k: 0 },
      ]) {
        const a = numbers(shape.m * shape.k, 3, true);
        const b = numbers(shape.k * shape.n, 4, true);
        const product = naive(a, b, shape);
        const doubles = new Float64Array(shape.m * shape.n).fill(NaN);
        const singles = new Float32Array(shape.m * shape.n).fill(NaN);
        expect(same(await wasmGemm.f64(a, b, shape, doubles), product)).toBe(true);
        const found = await wasmGemm.f32(Float32Array.from(a), Float32Array.from(b), shape, singles);
        expect(same(found, Float32Array.from(product))).toBe(true);
        if (name === 'typescript') continue;
        expect(found).toBe(singles);
        // Products with few columns are plain loops, which have a place of their own.
        if (shape.n > 2) expect(same(doubles, product)).toBe(true);
      }
      const one = Float64Array.of(1);
      if (name !== 'typescript') {
        await expect(
          wasmGemm.f64(one, Float64Array.of(1, 2, 3), { m: 1, n: 3, k: 1 }, new Float64Array(2)),
        ).rejects.toThrow('1 x 3 = 3 numbers');
      }
    });

    it.skipIf(name !== 'wasm simd')(
      'give the bits of the typed-array kernel in f64, whatever the numbers',
      async () => {
        await fc.assert(
          fc.asyncProperty(shapes, fc.integer(), async (shape, seed) => {
            const a = numbers(shape.m * shape.k, seed, false);
            const b = numbers(shape.k * shape.n, seed + 1, false);
            expect(same(await wasmGemm.f64(a, b, shape), await typedArrayGemm.f64(a, b, shape))).toBe(true);
          }),
          { numRuns: 100 },
        );
      },
    );

    it('round f32 sums as floats do: within k units of rounding of the products that were added', async () => {
      const shape = { m: 37, n: 41, k: 700, transposeB: true };
      const a = Float32Array.from(numbers(shape.m * shape.k, 5, false));
      const b = Float32Array.from(numbers(shape.k * shape.n, 6, false));
      const product = await wasmGemm.f32(a, b, shape);
      const exact = naive(Float64Array.from(a), Float64Array.from(b), shape);
      const sizes = naive(Float64Array.from(a, Math.abs), Float64Array.from(b, Math.abs), shape);
      for (let i = 0; i < exact.length; i++) {
        expect(Math.abs(product[i] - exact[i])).toBeLessThanOrEqual(sizes[i] * shape.k * 2 ** -24);
      }
    });

    it.each([5, 128, 200, 515, 700])('mirror a matrix times its own transpose, of order %d', async (order) => {
      for (const k of [3, 300]) {
        const a = numbers(order * k, order, true);
        for (const transposed of [false, true]) {
          const shape = { m: order, n: order, k, transposeA: transposed, transposeB: !transposed };
          const product = await wasmGemm.f64(a, a.slice(), shape);
          // Once the same array, once two views of the same numbers.
          expect(same(await wasmGemm.f64(a, a, shape), product)).toBe(true);
          const floats = Float32Array.from(a);
          expect(same(await wasmGemm.f32(floats, floats.subarray(), shape), Float32Array.from(product))).toBe(true);
        }
      }
    });

    it('subtract from what is there, in place, as often as the host turns', async () => {
      const gemm = createWasmGemm(async () => {
        await wasmGemm.f64(Float64Array.of(1), Float64Array.of(1), { m: 1, n: 1, k: 1 });
      });
      const large = { m: 300, n: 530, k: 600 };
      const all = [...tiled, large, { m: 5, n: 1, k: 9 }, { m: 1, n: 7, k: 3, transposeB: true }, { m: 3, n: 4, k: 0 }];
      for (const shape of all) {
        const a = numbers(shape.m * shape.k, 3, true);
        const b = numbers(shape.k * shape.n, 4, true);
        const start = numbers(shape.m * shape.n, 5, true);
        const c = start.slice();
        await gemm.subtract64(c, a, b, shape);
        const product = await typedArrayGemm.f64(a, b, shape);
        expect(
          same(
            c,
            start.map((value, i) => value - product[i]),
          ),
        ).toBe(true);
        const fallback = start.slice();
        await typedArrayGemm.subtract64(fallback, a, b, shape);
        expect(same(fallback, c)).toBe(true);
        const floats = Float32Array.from(start);
        await gemm.subtract32(floats, Float32Array.from(a), Float32Array.from(b), shape);
        expect(same(floats, Float32Array.from(c))).toBe(true);
      }
      // A matrix that is not symmetric stays so, even where the product is.
      const c = numbers(64, 1, true);
      const a = numbers(24, 2, true);
      const shape = { m: 8, n: 8, k: 3, transposeB: true };
      const wanted = naive(a, a, shape).map((value, i) => c[i] - value);
      await wasmGemm.subtract64(c, a, a, shape);
      expect(same(c, wanted)).toBe(true);
      await expect(wasmGemm.subtract64(new Float64Array(3), a, a, shape)).rejects.toThrow(/8 x 8 = 64 numbers for c/);
    });

    it('do not take an array times itself for a symmetric product where it is not one', async () => {
      const a = numbers(36, 8, true);
      for (const transposeA of [false, true]) {
        const shape = { m: 6, n: 6, k: 6, transposeA, transposeB: transposeA };
        expect(same(await wasmGemm.f64(a, a, shape), naive(a, a, shape))).toBe(true);
      }
    });

    it('keep infinities and NaN to their own row and column', async () => {
      const shape = { m: 9, n: 9, k: 5 };
      const a = numbers(45, 1, true);
      const b = numbers(45, 2, true);
      a[3] = Infinity;
      b[7] = NaN;
      // Equal numbers, not bits: engines may choose the sign of a NaN.
      expect(await wasmGemm.f64(a, b, shape)).toEqual(await typedArrayGemm.f64(a, b, shape));
      // The memory is reused: the next product must not meet what this one left.
      const c = numbers(45, 3, true);
      expect(same(await wasmGemm.f64(c, c, shape), naive(c, c, shape))).toBe(true);
    });

    it('refuse sides that do not fit the shape', async () => {
      const four = new Float64Array(4);
      await expect(wasmGemm.f64(four, four, { m: 3, n: 3, k: 2 })).rejects.toThrow(/3 x 2 = 6 numbers for a/);
      await expect(wasmGemm.f32(new Float32Array(6), new Float32Array(4), { m: 3, n: 3, k: 2 })).rejects.toThrow(
        /2 x 3 = 6 numbers for b/,
      );
    });

    it('leave their inputs as they were, and their memory at 4 MB after 1,000 products', async () => {
      const a = numbers(600 * 300, 1, true);
      const before = a.slice();
      for (let i = 0; i < 1000; i++) {
        const m = 1 + (i % 7);
        await wasmGemm.f64(a.subarray(0, m * 300), a.subarray(0, 900), { m, n: 3, k: 300 });
      }
      await wasmGemm.f64(a, a, { m: 600, n: 600, k: 300, transposeB: true });
      expect(same(a, before)).toBe(true);
      expect(linearAlgebraModule(0)?.memory.buffer.byteLength).toBeLessThan(4.5 * 2 ** 20);
    });

    it('take turns with the host within long products, and with each other, without mixing their numbers', async () => {
      let turns = 0;
      const gemm = createWasmGemm(async () => {
        turns++;
        await Promise.resolve();
      });
      const long = { m: 300, n: 600, k: 700 };
      const a = numbers(long.m * long.k, 1, true);
      const b = numbers(long.k * long.n, 2, true);
      const short = { m: 40, n: 30, k: 20 };
      const [product, symmetric, floats] = await Promise.all([
        gemm.f64(a, b, long),
        gemm.f64(a, a, { m: 300, n: 300, k: 700, transposeB: true }),
        gemm.f32(Float32Array.from(a), Float32Array.from(b), long),
        gemm.f64(a.subarray(0, 800), b.subarray(0, 600), short),
      ]);
      expect(turns).toBeGreaterThan(3);
      expect(same(product, await typedArrayGemm.f64(a, b, long))).toBe(true);
      expect(same(floats, Float32Array.from(product))).toBe(true);
      expect(same(symmetric, await typedArrayGemm.f64(a, a, { m: 300, n: 300, k: 700, transposeB: true }))).toBe(true);
    });

    it('equal those of an engine without WebAssembly, within rounding', async () => {
      const shape = { m: 21, n: 17, k: 300, transposeB: true };
      const a = numbers(shape.m * shape.k, 1, false);
      const b = numbers(shape.n * shape.k, 2, false);
      const product = await wasmGemm.f64(a, b, shape);
      const other = await refused.wasmGemm.f64(a, b, shape);
      // 300 products below 1, each sum rounded at most 300 times.
      for (const [i, x] of product.entries()) expect(Math.abs(x - other[i])).toBeLessThan(300 * 300 * 2 ** -53);
      const c = Float32Array.from(numbers(shape.m * shape.k, 1, true));
      const d = Float32Array.from(numbers(shape.n * shape.k, 2, true));
      expect(same(await refused.wasmGemm.f32(c, d, shape), await wasmGemm.f32(c, d, shape))).toBe(true);
    });
  },
);
