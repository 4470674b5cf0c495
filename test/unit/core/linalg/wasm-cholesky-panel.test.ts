import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choleskyFactor } from '../../../../packages/core/src/linalg/cholesky.ts';
import { solveSymmetric } from '../../../../packages/core/src/linalg/cholesky-solve.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { createWasmGemm, wasmGemm } from '../../../../packages/core/src/linalg/wasm-gemm.ts';
import { noise } from './noise.ts';

/** `B B^T + I`, order x order: condition numbers below 10 * order. */
async function positiveDefinite(order: number, seed: number): Promise<Float64Array> {
  const b = noise(order * order, seed);
  const a = await typedArrayGemm.f64(b, b, { m: order, n: order, k: order, transposeB: true });
  for (let i = 0; i < order; i++) a[i * order + i] += 1;
  return a;
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  let most = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}

describe('panels of Cholesky in WebAssembly', () => {
  it('are those of the plain loops, of any order', async () => {
    const orders = fc.oneof(
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(127, 128, 129, 131, 255, 257),
      fc.constantFrom(390),
    );
    await fc.assert(
      fc.asyncProperty(orders, fc.integer({ min: 1, max: 1e6 }), async (order, seed) => {
        const a = await positiveDefinite(order, seed);
        const plain = await choleskyFactor(a, order, { gemm: typedArrayGemm });
        const factor = await choleskyFactor(a, order, { gemm: wasmGemm });
        expect(factor.panels).toHaveLength(plain.panels.length);
        for (const [k, panel] of factor.panels.entries()) {
          // Entries of the factor are at most sqrt(order); each sum of `order` products rounds in another order.
          expect(largestDifference(panel, plain.panels[k])).toBeLessThan(1e-11);
          expect(largestDifference(factor.inverses[k], plain.inverses[k])).toBeLessThan(1e-9);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('solve what several stripes of rows hold, while other products and the host take turns', async () => {
    const order = 1100;
    let turns = 0;
    const gemm = createWasmGemm(async () => {
      turns++;
      await wasmGemm.f64(noise(300, 1), noise(300, 2), { m: 10, n: 10, k: 30 });
    });
    const a = await positiveDefinite(order, 7);
    const x = noise(order * 3, 3);
    const right = await typedArrayGemm.f64(a, x, { m: order, n: 3, k: order });
    const factor = await choleskyFactor(a, order, { gemm });
    const solved = await solveSymmetric(factor, right, 3, { gemm });
    expect(turns).toBeGreaterThan(2);
    // The residual of a backward stable solve: a small multiple of order times rounding, of the right side's size.
    const again = await typedArrayGemm.f64(a, solved, { m: order, n: 3, k: order });
    const size = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largestDifference(again, right) / size).toBeLessThan(order * Number.EPSILON);
  });

  it('name the pivot that is not positive, in any panel, and refuse NaN and infinity', async () => {
    const order = 300;
    for (const pivot of [0, 1, 127, 128, 299]) {
      for (const value of [-1, 0, NaN, Infinity]) {
        const a = new Float64Array(order * order);
        for (let i = 0; i < order; i++) a[i * order + i] = i === pivot ? value : 1;
        await expect(choleskyFactor(a, order, { gemm: wasmGemm })).rejects.toMatchObject({
          code: 'NOT_POSITIVE_DEFINITE',
          message: expect.stringContaining(`pivot ${pivot} = ${value}`),
        });
      }
    }
  });

  it('are left to others where they are wider than 128 columns', async () => {
    const panel = await positiveDefinite(129, 5);
    const before = panel.slice();
    expect(await wasmGemm.choleskyPanel64?.(panel, 129, [], new Float64Array(129))).toBeUndefined();
    expect(panel).toEqual(before);
  });
});
