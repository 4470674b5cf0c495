import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { choleskyFactor, type CholeskyFactor } from '../../../../packages/core/src/linalg/cholesky.ts';
import { helpWith, type HelperAnswer, type HelperTask } from '../../../../packages/core/src/linalg/gemm-helper.ts';
import type { Helper } from '../../../../packages/core/src/linalg/helper-line.ts';
import { shareGemm } from '../../../../packages/core/src/linalg/shared-gemm.ts';
import { typedArrayGemm, type PortableGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { createWasmGemm, wasmGemm } from '../../../../packages/core/src/linalg/wasm-gemm.ts';
import { expectBits } from '../../../expect-bits.ts';
import { noise } from './noise.ts';

async function positiveDefinite(order: number, seed: number): Promise<Float64Array> {
  const b = noise(order * 64, seed);
  const a = await wasmGemm.f64(b, b, { m: order, n: order, k: 64, transposeB: true });
  for (let i = 0; i < order; i++) a[i * order + i] += 1;
  return a;
}

function expectSame(found: CholeskyFactor, wanted: CholeskyFactor): void {
  expect(found.panels).toHaveLength(wanted.panels.length);
  for (const [k, panel] of wanted.panels.entries()) {
    expectBits(found.panels[k], panel);
    expectBits(found.inverses[k], wanted.inverses[k]);
  }
}

interface Loopback extends Helper {
  /** Kinds of the tasks that came. */
  readonly kinds: string[];
  /** From now on nothing is answered. */
  leave(): void;
}

/** A helper in this thread, whose messages are cloned and moved like a worker's and come a turn later. */
function loopback(own: PortableGemm = createWasmGemm(), sends: (task: HelperTask) => void = () => undefined): Loopback {
  const kinds: string[] = [];
  let gone = false;
  let onAnswer: (answer: HelperAnswer) => void;
  let leave: () => void;
  const receive = helpWith(own, (answer, transfer) => {
    const sent = structuredClone(answer, { transfer });
    setImmediate(() => {
      if (!gone) onAnswer(sent);
    });
  });
  return {
    kinds,
    send(task, transfer) {
      sends(task);
      kinds.push(task.kind);
      const sent = structuredClone(task, { transfer });
      setImmediate(() => receive(sent));
    },
    listen(answered, left) {
      onAnswer = answered;
      leave = left;
    },
    leave() {
      gone = true;
      leave();
    },
  };
}

const SHAPES = [
  { m: 900, n: 700, k: 500 },
  { m: 900, n: 700, k: 500, transposeB: true },
  { m: 901, n: 690, k: 513, transposeA: true },
  { m: 813, n: 811, k: 430, transposeA: true, transposeB: true },
];

describe('products that several threads share', () => {
  it('are the same bits as those of one, whatever is transposed, by any number of helpers', async () => {
    for (const helpers of [1, 2, 3]) {
      const crew = Array.from({ length: helpers }, () => loopback());
      const shared = shareGemm(wasmGemm, crew);
      for (const [seed, shape] of SHAPES.entries()) {
        const [a, b] = [noise(shape.m * shape.k, seed + 1), noise(shape.k * shape.n, seed + 9)];
        expectBits(await shared.f64(a, b, shape), await wasmGemm.f64(a, b, shape));
        const [a32, b32] = [Float32Array.from(a), Float32Array.from(b)];
        expectBits(await shared.f32(a32, b32, shape), await wasmGemm.f32(a32, b32, shape));
        const [c, expected] = [noise(shape.m * shape.n, seed), noise(shape.m * shape.n, seed)];
        await shared.subtract64(c, a, b, shape);
        await wasmGemm.subtract64(expected, a, b, shape);
        expectBits(c, expected);
        const [c32, expected32] = [Float32Array.from(c), Float32Array.from(c)];
        await shared.subtract32(c32, a32, b32, shape);
        await wasmGemm.subtract32(expected32, a32, b32, shape);
        expectBits(c32, expected32);
        expectBits(a, noise(shape.m * shape.k, seed + 1));
      }
      for (const { kinds } of crew) expect(kinds).toHaveLength(4 * SHAPES.length);
    }
  });

  it('of a matrix with its own transpose are symmetric, and go into the array that was given', async () => {
    const [order, k] = [911, 390];
    const a = noise(order * k, 5);
    for (const helpers of [1, 3]) {
      const shared = shareGemm(
        wasmGemm,
        Array.from({ length: helpers }, () => loopback()),
      );
      const out = new Float64Array(order * order);
      const rows = await shared.f64(a, a, { m: order, n: order, k, transposeB: true }, out);
      expect(rows).toBe(out);
      expectBits(out, await wasmGemm.f64(a, a, { m: order, n: order, k, transposeB: true }));
      const columns = { m: order, n: order, k, transposeA: true };
      expectBits(await shared.f64(a, a, columns), await wasmGemm.f64(a, a, columns));
    }
  });

  it('are made here where they are small', async () => {
    const helper = loopback();
    const shared = shareGemm(wasmGemm, [helper]);
    await shared.f64(noise(900, 1), noise(900, 2), { m: 30, n: 30, k: 30 });
    await shared.f64(noise(4e6, 1), noise(2e4, 2), { m: 2000, n: 10, k: 2000 });
    expect(helper.kinds).toEqual([]);
  });
});

describe('a Cholesky factorisation that several threads share', () => {
  it('has the same bits as that of one', async () => {
    const order = fc.sample(fc.integer({ min: 2000, max: 2100 }), 1)[0];
    const a = await positiveDefinite(order, order);
    const alone = await choleskyFactor(a, order, { gemm: wasmGemm }, 0.5);
    for (const helpers of [1, 2]) {
      const crew = Array.from({ length: helpers }, () => loopback());
      const factor = await choleskyFactor(a, order, { gemm: shareGemm(wasmGemm, crew) }, 0.5);
      for (const { kinds } of crew) expect(kinds).toContain('rows');
      expectSame(factor, alone);
    }
  });

  it('names the pivot that is not positive, and its helpers are free again', async () => {
    const order = 1900;
    const a = await positiveDefinite(order, 3);
    a[1000 * order + 1000] = -1;
    const helper = loopback();
    const gemm = shareGemm(wasmGemm, [helper]);
    const alone = await choleskyFactor(a, order, { gemm: wasmGemm }).catch((error: Error) => error.message);
    expect(alone).toMatch(/1000/);
    await expect(choleskyFactor(a, order, { gemm })).rejects.toThrow(alone as string);
    const shape = SHAPES[0];
    const [left, right] = [noise(shape.m * shape.k, 1), noise(shape.k * shape.n, 2)];
    expectBits(await gemm.f64(left, right, shape), await wasmGemm.f64(left, right, shape));
    expect(helper.kinds.at(-1)).toBe('product');
  });
});

describe('a helper that fails', () => {
  const order = 1900;
  const shape = SHAPES[1];
  const [left, right] = [noise(shape.m * shape.k, 1), noise(shape.k * shape.n, 2)];

  async function expectRight(gemm: PortableGemm): Promise<void> {
    expectBits(await gemm.f64(left, right, shape), await wasmGemm.f64(left, right, shape));
    const a = await positiveDefinite(order, 4);
    expectSame(await choleskyFactor(a, order, { gemm }), await choleskyFactor(a, order, { gemm: wasmGemm }));
  }

  it('in the middle of its work loses nothing, and is asked no more', async () => {
    let tasks = 0;
    const helper: Loopback = loopback(undefined, () => {
      if (++tasks === 4) setImmediate(() => helper.leave());
    });
    await expectRight(shareGemm(wasmGemm, [helper, loopback()]));
    // An inverse may follow what was under way.
    expect(tasks).toBeLessThan(7);
  });

  it('to be sent anything, or to make anything, is replaced', async () => {
    const deaf = loopback(undefined, () => {
      throw new RangeError('Array buffer allocation failed');
    });
    const f64 = vi.fn(() => Promise.reject(new Error('no memory')));
    const weak = loopback({ ...wasmGemm, name: 'weak', f64, choleskyRows64: () => Promise.resolve(false) });
    await expectRight(shareGemm(wasmGemm, [deaf, weak]));
    expect(f64).toHaveBeenCalled();
    expect(weak.kinds).toContain('rows');
  });

  it('to have WebAssembly is of use for products alone', async () => {
    const helper = loopback();
    const gemm = shareGemm(typedArrayGemm, [helper]);
    const shape = { m: 640, n: 512, k: 512 };
    const [a, b] = [noise(shape.m * shape.k, 1), noise(shape.k * shape.n, 2)];
    const found = await gemm.f64(a, b, shape);
    const reference = await typedArrayGemm.f64(a, b, shape);
    expect(found.every((v, i) => Math.abs(v - reference[i]) < 1e-10)).toBe(true);
    expect(helper.kinds).toEqual(['product']);
    expect(gemm.choleskyRows64).toBeUndefined();
  });
});
