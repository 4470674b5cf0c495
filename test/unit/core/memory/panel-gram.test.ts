import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gemm } from '../../../../packages/core/src/gemm.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { wasmGemm } from '../../../../packages/core/src/linalg/wasm-gemm.ts';
import { gramByBytes, panelGram } from '../../../../packages/core/src/memory/panel-gram.ts';
import { createOrtGemm } from '../../../../packages/node/src/ort-gemm.ts';
import { useSoftwareGpu } from '../../../software-gpu.ts';

const engines: Gemm[] = [typedArrayGemm, wasmGemm];
const opened: Awaited<ReturnType<typeof createOrtGemm>>[] = [];
beforeAll(async () => {
  opened.push(await createOrtGemm());
  const isExpected = useSoftwareGpu();
  try {
    opened.push(await createOrtGemm({ device: 'webgpu' }));
  } catch (error) {
    // A machine for tests that has the driver has to have the loader too (Debian's libvulkan1).
    if (isExpected && process.env['CI'] === 'true') throw error;
    console.warn(`SKIPPED: no WebGPU (it needs SwiftShader's driver and libvulkan1): ${(error as Error).message}`);
  }
  engines.push(...opened);
});
afterAll(async () => {
  for (const gemm of opened) await gemm.dispose();
});

function features(count: number, order: number, seed: number, least: number): Int8Array {
  let state = seed >>> 0;
  return Int8Array.from({ length: count * order }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.max(least, ((state >>> 8) % 255) - 127);
  });
}

/** The whole matrix in exact arithmetic, entry by entry. */
function naive(rows: Int8Array, weights: Float64Array, order: number): Float64Array {
  const gram = new Float64Array(order * order);
  for (let i = 0; i < weights.length; i++) {
    for (let a = 0; a < order; a++) {
      const left = weights[i] * rows[i * order + a];
      for (let b = 0; b < order; b++) gram[a * order + b] += left * rows[i * order + b];
    }
  }
  return gram;
}

/** The first entry of a panel that differs from the naive matrix. */
function firstDifference(
  { block, panels }: { block: number; panels: readonly Float64Array[] },
  gram: Float64Array,
  order: number,
): string | undefined {
  for (const [k, panel] of panels.entries()) {
    const start = k * block;
    const width = Math.min(block, order - start);
    for (let i = start; i < order; i++) {
      for (let j = 0; j < width; j++) {
        const [got, want] = [panel[(i - start) * width + j], gram[i * order + start + j]];
        if (got !== want) return `(${i}, ${start + j}): ${got} instead of ${want}`;
      }
    }
  }
  return undefined;
}

describe('Gram matrix by panels', () => {
  it('has the same bits on every engine, of rows with and without sign, for common and for rare weights', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom(-127, 0),
        fc.nat(1e6),
        async (order, count, least, seed) => {
          const rows = features(count, order, seed, least);
          // Half of the rows share one weight; the others are as heavy as weights become.
          const weights = Float64Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 3 : 2 ** 24 + (i % 7)));
          const gram = naive(rows, weights, order);
          for (const gemm of engines) {
            const panels = await panelGram(rows, weights, order, { gemm });
            expect(`${gemm.name} ${firstDifference(panels, gram, order)}`).toBe(`${gemm.name} undefined`);
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('counts the largest features exactly beyond a block of rows, where f32 alone would round', async () => {
    const [count, order] = [4200, 40];
    for (const value of [127, -127]) {
      const rows = new Int8Array(count * order).fill(value);
      for (const gemm of engines) {
        const { panels } = await panelGram(rows, new Float64Array(count).fill(1), order, { gemm });
        expect(panels[0].every((entry) => entry === count * 127 * 127)).toBe(true);
      }
    }
  });

  it('gives the same integers as a whole matrix where an engine multiplies bytes, and none of rows with a sign', async () => {
    const order = 200;
    const weights = Float64Array.from({ length: 300 }, (_, i) => (i < 200 ? 5 : 6 + (i % 4)));
    const rows = features(300, order, 7, 0);
    const expected = naive(rows, weights, order);
    for (const gemm of engines) {
      const gram = await gramByBytes(rows, weights, order, { gemm });
      expect(gram === undefined, gemm.name).toBe(gemm.int8 === undefined);
      if (gram === undefined) continue;
      for (let i = 0; i < order; i++) {
        expect(gram.subarray(i * order, i * order + i + 1)).toEqual(expected.subarray(i * order, i * order + i + 1));
      }
      expect(await gramByBytes(features(300, order, 7, -127), weights, order, { gemm })).toBeUndefined();
    }
  });

  it('sees a single sign, wherever it stands and wherever the features begin in memory', async () => {
    const gemm = engines.find(({ int8 }) => int8 !== undefined);
    if (gemm === undefined) return console.warn('SKIPPED: no engine multiplies bytes exactly on this processor');
    const weights = new Float64Array(3).fill(1);
    for (const offset of [0, 1, 2, 3]) {
      for (let at = -1; at < 21; at++) {
        const rows = new Int8Array(offset + 21).fill(5).subarray(offset);
        if (at >= 0) rows[at] = -1;
        const gram = await gramByBytes(rows, weights, 7, { gemm });
        expect(gram === undefined, `offset ${offset}, place ${at}`).toBe(at >= 0);
      }
    }
  });

  it('stops where the signal says so', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    const rows = features(100, 30, 1, 0);
    const context = { gemm: typedArrayGemm, signal: controller.signal };
    await expect(panelGram(rows, new Float64Array(100).fill(1), 30, context)).rejects.toThrow('enough');
  });
});
