import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';

const size = fc.integer({ min: 0, max: 9 });
const products = fc
  .record({
    m: size,
    n: size,
    k: fc.oneof(size, fc.constantFrom(255, 256, 257, 300)),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
  })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      a: fc.array(fc.integer({ min: -127, max: 127 }), { minLength: shape.m * shape.k, maxLength: shape.m * shape.k }),
      b: fc.array(fc.integer({ min: -127, max: 127 }), { minLength: shape.k * shape.n, maxLength: shape.k * shape.n }),
    }),
  );

describe("core's own matrix product", () => {
  it('multiplies integers exactly, transposed or not, of any size', async () => {
    await fc.assert(
      fc.asyncProperty(products, async ({ shape, a, b }) => {
        const { m, n, k, transposeA, transposeB } = shape;
        const naive = Array.from({ length: m * n }, (_, at) => {
          const i = Math.floor(at / n);
          const j = at % n;
          let sum = 0;
          for (let p = 0; p < k; p++)
            sum += a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j];
          return sum;
        });
        expect(Array.from(await typedArrayGemm.f64(Float64Array.from(a), Float64Array.from(b), shape))).toEqual(naive);
        expect(Array.from(await typedArrayGemm.f32(Float32Array.from(a), Float32Array.from(b), shape))).toEqual(naive);
      }),
      { numRuns: 150 },
    );
  });

  it('leaves its inputs as they were', async () => {
    const a = Float64Array.from([1, 2, 3, 4]);
    const product = await typedArrayGemm.f64(a, a, { m: 2, n: 2, k: 2 });
    expect(Array.from(product)).toEqual([7, 10, 15, 22]);
    expect(Array.from(a)).toEqual([1, 2, 3, 4]);
  });
});
