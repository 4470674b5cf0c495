/** ONNX Runtime's matrix products against integers and a naive kernel, and what they leave of the event loop. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GemmShape } from '../../../packages/core/src/gemm.ts';
import { createOrtGemm } from '../../../packages/node/src/ort-gemm.ts';

let gemm: Awaited<ReturnType<typeof createOrtGemm>>;
beforeAll(async () => {
  gemm = await createOrtGemm();
});
afterAll(() => gemm.dispose());

function naive(a: ArrayLike<number>, b: ArrayLike<number>, shape: GemmShape): Float64Array {
  const { m, n, k, transposeA, transposeB } = shape;
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j];
      out[i * n + j] = sum;
    }
  }
  return out;
}

/** Numbers from -127 to 127 in an order without pattern (a linear congruential generator). */
function codes(length: number, seed: number): Int8Array {
  const out = new Int8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = (state % 255) - 127;
  }
  return out;
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const shapes = fc.record({
  m: fc.integer({ min: 0, max: 33 }),
  n: fc.integer({ min: 0, max: 33 }),
  k: fc.integer({ min: 0, max: 40 }),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
});

describe('createOrtGemm', () => {
  it('equals a naive kernel on integers of every shape and orientation, in f32 and f64', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async (shape, seed) => {
        const a = codes(shape.m * shape.k, seed);
        const b = codes(shape.k * shape.n, seed + 1);
        const reference = naive(a, b, shape);
        expect(Float64Array.from(await gemm.f32(Float32Array.from(a), Float32Array.from(b), shape))).toEqual(reference);
        expect(await gemm.f64(Float64Array.from(a), Float64Array.from(b), shape)).toEqual(reference);
      }),
      { numRuns: 150 },
    );
  });

  it('subtracts products in place, of every shape and orientation, also by tiles', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async (shape, seed) => {
        const a = codes(shape.m * shape.k, seed);
        const b = codes(shape.k * shape.n, seed + 1);
        const c = codes(shape.m * shape.n, seed + 2);
        const expected = naive(a, b, shape).map((x, i) => c[i] - x);
        const c32 = Float32Array.from(c);
        const c64 = Float64Array.from(c);
        await gemm.subtract32!(c32, Float32Array.from(a), Float32Array.from(b), shape);
        await gemm.subtract64!(c64, Float64Array.from(a), Float64Array.from(b), shape);
        // Zero minus zero is zero of either sign.
        expect(Float64Array.from(c32, (x) => x + 0)).toEqual(expected.map((x) => x + 0));
        expect(c64.map((x) => x + 0)).toEqual(expected.map((x) => x + 0));
      }),
      { numRuns: 80 },
    );
    // A fresh engine guesses low: these 600 columns are cut, and every tile has to bring what it subtracts from.
    const own = await createOrtGemm({ numThreads: 1 });
    const shape = { m: 300, n: 600, k: 500 };
    const [a, b] = [codes(shape.m * shape.k, 4), codes(shape.k * shape.n, 5)];
    const c = new Float64Array(shape.m * shape.n).fill(3);
    await own.subtract64!(c, Float64Array.from(a), Float64Array.from(b), shape);
    const product = await own.f64(Float64Array.from(a), Float64Array.from(b), shape);
    await own.dispose();
    expect(c.every((x, i) => x === 3 - product[i])).toBe(true);
  });

  it('counts products of bytes exactly, where it offers them at all', async () => {
    if (gemm.int8 === undefined) return console.warn('SKIPPED: products of bytes are not exact on this processor');
    const product = gemm.int8.bind(gemm);
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async ({ m, n, k }, seed) => {
        const a = codes(m * k, seed).map(Math.abs);
        const b = codes(k * n, seed + 1);
        expect(Float64Array.from(await product(a, b, { m, n, k }))).toEqual(naive(a, b, { m, n, k }));
      }),
      { numRuns: 80 },
    );
    const [m, n, k] = [70, 90, 3000];
    for (const sign of [1, -1]) {
      const got = await product(new Int8Array(m * k).fill(127), new Int8Array(k * n).fill(127 * sign), { m, n, k });
      expect(got.every((x) => x === sign * 127 * 127 * k)).toBe(true);
    }
  });

  it('equals a naive kernel on real numbers within the rounding of the sum', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async (shape, seed) => {
        const a = Float64Array.from(codes(shape.m * shape.k, seed), (x) => x / 97);
        const b = Float64Array.from(codes(shape.k * shape.n, seed + 1), (x) => x / 89);
        const reference = naive(a, b, shape);
        const got = await gemm.f64(a, b, shape);
        // Any order of k additions is within k * 2^-53 of the sum of magnitudes, here below k * 2.
        for (let i = 0; i < got.length; i++)
          expect(Math.abs(got[i] - reference[i])).toBeLessThanOrEqual(shape.k ** 2 * 2 ** -51);
      }),
      { numRuns: 60 },
    );
  });

  it('counts the Gram matrix of 1,024 int8 codes exactly in f32, even where every product is the largest', async () => {
    const dim = 64;
    const random = codes(1024 * dim, 7);
    for (const rows of [random, new Int8Array(1024 * dim).fill(-127)]) {
      const h = Float32Array.from(rows);
      const gram = await gemm.f32(h, h, { m: dim, n: dim, k: 1024, transposeA: true });
      const reference = new Int32Array(dim * dim);
      for (let i = 0; i < dim; i++) {
        for (let j = 0; j < dim; j++) {
          let sum = 0;
          for (let row = 0; row < 1024; row++) sum += Math.imul(rows[row * dim + i], rows[row * dim + j]);
          reference[i * dim + j] = sum;
        }
      }
      expect(Int32Array.from(gram)).toEqual(reference);
    }
  });

  it('takes views into larger buffers and leaves its inputs as they were', async () => {
    const buffer = Float32Array.from(codes(60, 3));
    const a = buffer.subarray(7, 7 + 12);
    const b = buffer.subarray(20, 20 + 20);
    const before = buffer.slice();
    const shape = { m: 3, n: 5, k: 4 };
    expect(Float64Array.from(await gemm.f32(a, b, shape))).toEqual(naive(a, b, shape));
    expect(buffer).toEqual(before);
  });

  it('writes into the place that is given, whatever was there, in whole rows and in tiles', async () => {
    for (const shape of [
      { m: 7, n: 5, k: 9 },
      { m: 700, n: 900, k: 1700 },
      { m: 300, n: 400, k: 20_000 },
      { m: 4, n: 5, k: 0 },
    ]) {
      const a = Float32Array.from(codes(shape.m * shape.k, 3));
      const b =
        a.length < shape.k * shape.n ? new Float32Array(shape.k * shape.n).fill(1) : a.subarray(0, shape.k * shape.n);
      const out = new Float32Array(shape.m * shape.n).fill(NaN);
      const fresh = await gemm.f32(a, b, shape);
      expect(await gemm.f32(a, b, shape, out)).toBe(out);
      expect(Buffer.compare(bytesOf(out), bytesOf(fresh))).toBe(0);
    }
    const one = Float64Array.of(2);
    const shared = new Float64Array(new SharedArrayBuffer(8));
    expect(await gemm.f64(one, one, { m: 1, n: 1, k: 1 }, shared)).toEqual(Float64Array.of(4));
    await expect(gemm.f64(one, one, { m: 1, n: 1, k: 1 }, new Float64Array(2))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Expected 1 values (m = 1, n = 1) for c, got Float64Array of length 2.',
    });
  });

  it('takes matrices in shared memory, which ONNX Runtime itself refuses', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    expect(await gemm.f32(shared, shared, { m: 2, n: 2, k: 2 })).toEqual(Float32Array.of(7, 10, 15, 22));
  });

  it('cuts a big product into slices: the same integers, in every orientation, and a live event loop', async () => {
    // 2 * 700 * 900 * 2400 operations are several times a slice's budget.
    const own = await createOrtGemm({ numThreads: 1 });
    const shape = { m: 700, n: 900, k: 2400 };
    const a = codes(shape.m * shape.k, 11);
    const b = codes(shape.k * shape.n, 12);
    const at = new Float32Array(a.length);
    const bt = new Float32Array(b.length);
    for (let i = 0; i < shape.m; i++) for (let p = 0; p < shape.k; p++) at[p * shape.m + i] = a[i * shape.k + p];
    for (let p = 0; p < shape.k; p++) for (let j = 0; j < shape.n; j++) bt[j * shape.k + p] = b[p * shape.n + j];
    const results: Float32Array[] = [];
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const left = transposeA ? at : Float32Array.from(a);
        const right = transposeB ? bt : Float32Array.from(b);
        results.push(await own.f32(left, right, { ...shape, transposeA, transposeB }));
      }
    }
    clearInterval(timer);
    await own.dispose();
    // Bytes are compared at once: vitest's own equality takes seconds for so many numbers.
    for (const result of results.slice(1)) expect(Buffer.compare(bytesOf(result), bytesOf(results[0]))).toBe(0);
    // Rows here and there against plain integers; all of them would take longer than the product is worth.
    for (const i of [0, 1, 255, 256, 413, 699]) {
      for (let j = 0; j < shape.n; j++) {
        let sum = 0;
        for (let p = 0; p < shape.k; p++) sum += a[i * shape.k + p] * b[p * shape.n + j];
        if (results[0][i * shape.n + j] !== sum) expect(results[0][i * shape.n + j]).toBe(sum);
      }
    }
    // Four products of three billion operations each, in slices of 1.2 billion; a whole one would be a single turn.
    expect(turns).toBeGreaterThan(8);
  });

  it('names the argument that does not fit', async () => {
    const shape = { m: 2, n: 2, k: 3 };
    await expect(gemm.f32(new Float32Array(5), new Float32Array(6), shape)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Expected 6 values (m = 2, k = 3) for a, got Float32Array of length 5.',
    });
    await expect(gemm.f32(new Float32Array(6), new Float32Array(7), shape)).rejects.toThrow(
      'for b, got Float32Array of length 7',
    );
    await expect(gemm.f64(new Float64Array(0), new Float64Array(0), { m: -1, n: 0, k: 0 })).rejects.toThrow(
      'for m, got -1',
    );
    await expect(createOrtGemm({ numThreads: 0 })).rejects.toThrow(
      'Expected a positive integer for numThreads, got 0.',
    );
  });

  it('says that a device is missing instead of taking another', async () => {
    const outcome = await createOrtGemm({ device: 'cuda' }).then(
      async (own) => {
        const product = await own.f32(Float32Array.of(2), Float32Array.of(3), { m: 1, n: 1, k: 1 });
        await own.dispose();
        return `${own.name} ${product[0]}`;
      },
      (error: { code: string }) => error.code,
    );
    // Where CUDA is installed, it must be CUDA that answers.
    expect(['DEVICE_UNAVAILABLE', 'onnxruntime-node cuda 6']).toContain(outcome);
  });

  it('refuses to work after dispose, which may be called twice', async () => {
    const own = await createOrtGemm();
    await own.dispose();
    await own.dispose();
    await expect(own.f32(new Float32Array(1), new Float32Array(1), { m: 1, n: 1, k: 1 })).rejects.toMatchObject({
      code: 'DISPOSED',
    });
  });
});
