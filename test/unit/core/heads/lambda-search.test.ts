import { describe, expect, it } from 'vitest';
import { classSides } from '../../../../packages/core/src/heads/class-sides.ts';
import { crossValidation } from '../../../../packages/core/src/heads/cross-validation.ts';
import {
  bestLambda,
  choiceInWords,
  searchLambda,
  type Expansion,
} from '../../../../packages/core/src/heads/lambda-search.ts';
import { traceOf } from '../../../../packages/core/src/heads/primal-ridge.ts';
import { passingSystems } from '../../../../packages/core/src/heads/ridge-systems.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { noise } from './example-sets.ts';

const context = { gemm: typedArrayGemm };
const eighth = (lambda: number): number => 2 ** (Math.round(Math.log2(lambda) * 8) / 8);

/** A loss by its logarithm over log10 lambda, with a numeric slope, and what was asked of it. */
function lossOf(f: (x: number) => number) {
  const asked: number[] = [];
  const loss = async (lambda: number): Promise<Expansion> => {
    asked.push(lambda);
    const [x, h] = [Math.log10(lambda), 1e-4];
    return { value: f(x), slope: (f(x + h) - f(x - h)) / (2 * h) };
  };
  return { loss, asked };
}

/** The curvature that the search assumes at 10^-1, of `(lambda^0.3)^2`. */
const CURVED = 0.25 / 2 / (10 ** -0.3 * 0.3 * Math.LN10) ** 2;

describe('the search for lambda by slopes', () => {
  it.each([-1.9, -1.4, -1, -0.3])(
    'takes one to three values where the loss is a parabola about 10^%s',
    async (lowest) => {
      const { loss, asked } = lossOf((x) => CURVED * (10 ** (0.3 * x) - 10 ** (0.3 * lowest)) ** 2);
      const { lambda, tried } = await searchLambda(loss, eighth, 1000);
      expect(Math.abs(Math.log10(lambda) - lowest)).toBeLessThan(0.15);
      expect(tried).toBe(asked.length);
      expect(tried).toBeLessThan(4);
    },
  );

  it.each([
    ['is a parabola over log lambda', (x: number) => 0.5 * (x + 3.2) ** 2, -3.2],
    ['has a wall', (x: number) => 0.3 * Math.exp(-3 * (x + 1.5)) + 0.1 * x, -0.77],
    ['is flat far away', (x: number) => -0.5 * Math.exp(-((x - 0.7) ** 2) / 2), 0.7],
    ['has no value at first', (x: number) => (x < -0.5 ? Infinity : (x - 0.2) ** 2), 0.2],
    ['falls to the end', (x: number) => -0.2 * x, 2],
    ['rises from the start', (x: number) => 0.2 * x, -4],
  ])('finds the lowest point where the loss %s', async (_name, f, lowest) => {
    const { loss, asked } = lossOf(f);
    const { lambda } = await searchLambda(loss, eighth, 1000);
    // To the gain that is worth another value, one in a hundred, and what a parabola leaves of it.
    expect(f(Math.log10(lambda)) - f(lowest)).toBeLessThan(0.02);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked.length).toBeLessThanOrEqual(8);
  });

  it('asks for the same values after a little more evidence', async () => {
    const asked = await Promise.all(
      [-1.62, -1.55, -1.48].map(async (lowest) => {
        const { loss, asked } = lossOf((x) => CURVED * (10 ** (0.3 * x) - 10 ** (0.3 * lowest)) ** 2);
        await searchLambda(loss, eighth, 1000);
        return asked.slice(0, 2);
      }),
    );
    expect(asked[1]).toEqual(asked[0]);
    expect(asked[2]).toEqual(asked[0]);
  });

  it('stays where it is level', async () => {
    const { loss, asked } = lossOf(() => 1);
    expect((await searchLambda(loss, eighth, 1000)).lambda).toBe(eighth(0.1));
    expect(asked).toHaveLength(1);
  });
});

describe('values that are given', () => {
  it('are all tried, and the larger of equals is taken', async () => {
    const asked: number[] = [];
    const loss = async (lambda: number): Promise<number> => {
      asked.push(lambda);
      return Math.abs(Math.log10(lambda)) === 1 ? 1 : 2;
    };
    expect(await bestLambda([1, 0.1, 10, 100], loss)).toEqual({ lambda: 10, tried: 4 });
    expect(asked).toEqual([100, 10, 1, 0.1]);
    expect(await bestLambda([3], loss)).toEqual({ lambda: 3, tried: 0 });
  });

  it('are told apart in words from what was searched', () => {
    expect(choiceInWords({ lambda: 0.25, tried: 0 }, 'error')).toBe('with the given lambda 0.25');
    expect(choiceInWords({ lambda: 0.1051, tried: 1 }, 'error')).toBe(
      'with lambda 0.11: no other promises much less error',
    );
    expect(choiceInWords({ lambda: 0.05, tried: 3 }, 'error')).toBe(
      'with lambda 0.050, of 3 values tried the one with the least error',
    );
  });
});

describe('generalised cross-validation', () => {
  it('knows its slope', async () => {
    const [numExamples, order, numClasses] = [60, 24, 5];
    const next = noise(3);
    const rows = Float64Array.from({ length: numExamples * order }, next);
    const owners = Array.from({ length: numExamples }, (_, i) => i % numClasses);
    const gram = await typedArrayGemm.f64(rows, rows, { m: order, n: order, k: numExamples, transposeA: true });
    const cross = new Float64Array(numClasses * order);
    for (const [i, c] of owners.entries()) {
      for (let j = 0; j < order; j++) cross[c * order + j] += rows[i * order + j];
    }
    const sides = await classSides(cross, new Int32Array(numClasses), order, context);
    const moments = { order, numExamples, trace: traceOf(gram, order), sides, targetSquares: numExamples };
    const loss = crossValidation(moments, passingSystems(gram, order, sides, context), context);
    for (const lambda of [0.05, 1, 30]) {
      const h = 1e-3;
      const [before, after] = [await loss(lambda * 10 ** -h), await loss(lambda * 10 ** h)];
      expect((await loss(lambda)).slope).toBeCloseTo((after.value - before.value) / (2 * h), 5);
    }
  });
});
