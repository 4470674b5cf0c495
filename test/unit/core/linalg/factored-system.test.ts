import { describe, expect, it } from 'vitest';
import { choleskyFactor, type SymmetricPanels } from '../../../../packages/core/src/linalg/cholesky.ts';
import { solveSymmetric } from '../../../../packages/core/src/linalg/cholesky-solve.ts';
import { factoredSystem } from '../../../../packages/core/src/linalg/factored-system.ts';
import { symmetricResidual } from '../../../../packages/core/src/linalg/refine.ts';
import { wasmGemm } from '../../../../packages/core/src/linalg/wasm-gemm.ts';
import { noise } from './noise.ts';

const context = { gemm: wasmGemm };

/** `B^T D B` with B of random columns and D falling from 1 to `least`: of a known spread. */
async function spread(order: number, least: number): Promise<Float64Array> {
  const b = noise(order * order, 5);
  for (let i = 0; i < order; i++) {
    const factor = Math.sqrt(least ** (i / (order - 1)));
    for (let j = 0; j < order; j++) b[i * order + j] *= factor;
  }
  return wasmGemm.f64(b, b, { m: order, n: order, k: order, transposeA: true });
}

function byPanels(matrix: Float64Array, order: number, block = 128): SymmetricPanels {
  const panels = Array.from({ length: Math.ceil(order / block) }, (_, k) => {
    const start = k * block;
    const width = Math.min(block, order - start);
    return Float64Array.from(
      { length: (order - start) * width },
      (_, at) => matrix[(start + Math.floor(at / width)) * order + start + (at % width)],
    );
  });
  return { order, block, panels };
}

const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

describe('factored system', () => {
  it('refines solutions from f32 to the residual of f64, and they are those of an f64 factor', async () => {
    const order = 300;
    const dense = await spread(order, 1e-2);
    const panels = byPanels(dense, order);
    const right = noise(order * 5, 3);
    const ridge = 0.05;
    const system = await factoredSystem(panels, order, ridge, context);
    const x = await system.solve(right, 5);
    expect(system.precision).toBe('f32');
    const left = await symmetricResidual(panels, ridge, right, x, 5, context);
    expect(norm(left) / norm(right)).toBeLessThan(1e-10);
    const exact = await solveSymmetric(await choleskyFactor(dense, order, context, ridge), right, 5, context);
    // Condition about 1e4 times the residual's 1e-10.
    expect(norm(x.map((value, i) => value - exact[i])) / norm(exact)).toBeLessThan(1e-7);
    const forms = await system.quadraticForms(right, 5);
    const dense64 = await factoredSystem(dense, order, ridge, context);
    for (const [r, form] of (await dense64.quadraticForms(right, 5)).entries()) {
      // A factor in f32 alone: 1e-7 times the condition, times the form's size.
      expect(Math.abs(forms[r] / form - 1)).toBeLessThan(1e-2);
    }
  });

  it('gives the residual that the definition gives', async () => {
    const order = 140;
    const dense = await spread(order, 0.1);
    const [x, right] = [noise(order * 2, 8), noise(order * 2, 9)];
    const left = await symmetricResidual(byPanels(dense, order), 2, right, x, 2, context);
    for (let i = 0; i < order; i++) {
      for (let c = 0; c < 2; c++) {
        let sum = right[i * 2 + c] - 2 * x[i * 2 + c];
        for (let j = 0; j < order; j++) sum -= dense[i * order + j] * x[j * 2 + c];
        expect(left[i * 2 + c]).toBeCloseTo(sum, 9);
      }
    }
  });

  it('turns to f64 where f32 is too coarse, and says so', async () => {
    const order = 200;
    const dense = await spread(order, 1e-9);
    const right = noise(order, 2);
    const system = await factoredSystem(byPanels(dense, order), order, 1e-9, context);
    const x = await system.solve(right, 1);
    expect(system.precision).toBe('f64');
    const exact = await solveSymmetric(await choleskyFactor(dense, order, context, 1e-9), right, 1, context);
    expect(x).toEqual(exact);
  });

  it('names the pivot of a matrix that no precision makes positive definite', async () => {
    const order = 150;
    const dense = await spread(order, 1);
    dense[140 * order + 140] = -1;
    await expect(factoredSystem(byPanels(dense, order), order, 0, context)).rejects.toMatchObject({
      code: 'NOT_POSITIVE_DEFINITE',
      message: expect.stringContaining('pivot 140 = -'),
    });
  });
});
