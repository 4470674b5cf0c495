import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  choleskyFactor,
  type CholeskyFactor,
  type SymmetricPanels,
} from '../../../../packages/core/src/linalg/cholesky.ts';
import { factorResidual, updatedFactor, updateOrRefactor } from '../../../../packages/core/src/linalg/update-factor.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';

const context = { gemm: typedArrayGemm };

function noise(count: number, seed: number): Float64Array {
  let state = seed >>> 0 || 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** `matrix + sign U U^T`, entry by entry. */
function plus(matrix: Float64Array, u: Float64Array, order: number, count: number, sign: number): Float64Array {
  const out = matrix.slice();
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) {
      for (let c = 0; c < count; c++) out[i * order + j] += sign * u[i * count + c] * u[j * count + c];
    }
  }
  return out;
}

function byPanels(matrix: Float64Array, order: number, block: number): SymmetricPanels {
  const panels = Array.from({ length: Math.ceil(order / block) }, (_, k) => {
    const width = Math.min(block, order - k * block);
    return Float64Array.from(
      { length: (order - k * block) * width },
      (_, at) => matrix[(k * block + Math.floor(at / width)) * order + k * block + (at % width)],
    );
  });
  return { order, block, panels };
}

function identity(order: number): Float64Array {
  return Float64Array.from({ length: order * order }, (_, at) => (at % (order + 1) === 0 ? 1 : 0));
}

function largestDifference(a: CholeskyFactor, b: CholeskyFactor): number {
  let most = 0;
  for (const kind of ['panels', 'inverses'] as const) {
    for (const [k, values] of a[kind].entries()) {
      for (const [i, value] of values.entries()) most = Math.max(most, Math.abs(value - b[kind][k][i]));
    }
  }
  return most;
}

describe('factor of a matrix that changed by a few columns', () => {
  it('is the factor of the changed matrix, whatever the order, the columns and the sign', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(1 as const, -1 as const),
        fc.nat(1e6),
        async (order, count, block, sign, seed) => {
          const u = noise(order * count, seed);
          const small = plus(identity(order), noise(order * 3, seed + 1), order, 3, 1);
          const large = plus(small, u, order, count, 1);
          const [from, to] = sign === 1 ? [small, large] : [large, small];
          const before = await choleskyFactor(byPanels(from, order, block), order, context);
          const kept = before.panels.map((panel) => panel.slice());
          const after = await updatedFactor(before, u, count, sign, context);
          const fresh = await choleskyFactor(byPanels(to, order, block), order, context);
          // Eigenvalues lie between 1 and about 1,000: twelve digits are left of sixteen.
          expect(largestDifference(after, fresh)).toBeLessThan(1e-10);
          expect(await factorResidual(after, byPanels(to, order, block), 0, context)).toBeLessThan(1e-13);
          expect(before.panels).toEqual(kept);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('refuses to take away what was never there', async () => {
    const before = await choleskyFactor(identity(50), 50, context);
    await expect(
      updatedFactor(
        before,
        noise(100, 3).map((x) => 3 * x),
        2,
        -1,
        context,
      ),
    ).rejects.toMatchObject({
      code: 'NOT_POSITIVE_DEFINITE',
    });
  });

  it('keeps the updated factor where it belongs to the matrix, and factors anew where it does not', async () => {
    const [order, block] = [60, 25];
    const [added, removed] = [noise(order * 4, 1), noise(order * 2, 2)];
    const small = plus(identity(order), noise(order * 3, 9), order, 3, 1);
    const before = await choleskyFactor(byPanels(plus(small, removed, order, 2, 1), order, block), order, context, 0.5);
    const target = byPanels(plus(small, added, order, 4, 1), order, block);
    const update = { added, numAdded: 4, removed, numRemoved: 2 };
    const fresh = await choleskyFactor(target, order, context, 0.5);
    const good = await updateOrRefactor(before, update, target, 0.5, context);
    expect(good.refactored).toBe(false);
    expect(largestDifference(good.factor, fresh)).toBeLessThan(1e-10);
    // A factor that has drifted, and one from which the columns cannot be taken away.
    const drifted = { ...before, panels: before.panels.map((panel) => panel.map((x) => x * (1 + 1e-9))) };
    const hopeless = await choleskyFactor(byPanels(identity(order), order, block), order, context);
    const large = { ...update, removed: removed.map((x) => 30 * x) };
    for (const outcome of [
      await updateOrRefactor(drifted, update, target, 0.5, context),
      await updateOrRefactor(hopeless, large, target, 0.5, context),
    ]) {
      expect(outcome.refactored).toBe(true);
      expect(largestDifference(outcome.factor, fresh)).toBe(0);
    }
  });
});
