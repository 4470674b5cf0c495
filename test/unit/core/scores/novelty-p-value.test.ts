/** Leave-one-out p-values: the formula within the examples' range, a tail beyond it. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import {
  noveltyPValuesInto,
  noveltyReference,
  referenceOf,
} from '../../../../packages/core/src/scores/novelty-p-value.ts';
import { fitUnknownDetector } from '../../../../packages/core/src/scores/unknown.ts';
import { whitenedMemory } from '../../../../packages/core/src/scores/novelty/whitened-memory.ts';
import { clusters } from './memory-of-codes.ts';

function pValues(known: readonly number[], queries: readonly number[]): number[] {
  const out = new Float64Array(queries.length);
  noveltyPValuesInto(referenceOf(Float64Array.from(known)), Float64Array.from(queries), queries.length, out);
  return [...out];
}

const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });

it('is (1 + the number of examples at least as strange) / (n + 1) up to the strangest example', () => {
  fc.assert(
    fc.property(
      fc.array(finite, { minLength: 1, maxLength: 60 }),
      fc.array(finite, { maxLength: 30 }),
      (known, queries) => {
        const within = [...queries, ...known].filter((s) => s <= Math.max(...known));
        const naive = within.map((s) => (1 + known.filter((k) => k >= s).length) / (known.length + 1));
        expect(pValues(known, within)).toEqual(naive);
      },
    ),
  );
});

it('goes on falling beyond the strangest example, without a jump', () => {
  const [at, near, far, farther] = pValues([1, 2, 3, 4], [4, 4 + 1e-12, 5, 6]);
  expect(at).toBe(2 / 5);
  expect(near).toBeCloseTo(1 / 5, 9);
  expect(far).toBeLessThan(near);
  expect(farther).toBeLessThan(far);
  expect(farther).toBeGreaterThan(0);
});

it('lets five examples of one class call an input unknown that is far from all of them', async () => {
  const memory = clusters([5], 1, 24);
  const detector = await fitUnknownDetector(memory, { gemm });
  const strangeness = new Float64Array(20);
  const p = new Float64Array(20);
  detector.detectInto(clusters([0, 0, 20], 1, 24).codes, 20, strangeness, p);
  expect([...p].filter((value) => value < 0.03).length).toBeGreaterThan(18);
  detector.detectInto(clusters([20], 1, 24).codes, 20, strangeness, p);
  expect([...p].filter((value) => value < 0.03).length).toBeLessThan(3);
});

it('never calls anything unknown from a single example', async () => {
  const detector = await fitUnknownDetector(clusters([1], 1, 24), { gemm });
  const strangeness = new Float64Array(20);
  const p = new Float64Array(20);
  detector.detectInto(clusters([0, 20], 1, 24).codes, 20, strangeness, p);
  expect(Math.min(...p)).toBeGreaterThan(0.03);
});

it('calls about as many known inputs unknown as the threshold says', async () => {
  const detector = await fitUnknownDetector(clusters(new Array(20).fill(10), 1, 24), { gemm });
  const queries = clusters(new Array(20).fill(60), 1, 24).codes;
  const strangeness = new Float64Array(1200);
  const p = new Float64Array(1200);
  detector.detectInto(queries, 1200, strangeness, p);
  for (const threshold of [0.03, 0.1, 0.3]) {
    const rate = [...p].filter((value) => value < threshold).length / 1200;
    // 200 reference examples put a standard error of sqrt(t (1 - t) / 200) on the rate.
    expect(Math.abs(rate - threshold)).toBeLessThan(4 * Math.sqrt((threshold * (1 - threshold)) / 200));
  }
});

it('takes at most 1,024 examples, fewer where there are many classes, and those alone in their class only where all are', async () => {
  const count = async (counts: number[]): Promise<number> => {
    const memory = clusters(counts, 1, 4);
    const reference = await noveltyReference(await whitenedMemory.fit(memory, { gemm }), memory, { gemm });
    return reference.strangeness.length;
  };
  expect(await count([1, 3, 1])).toBe(3);
  expect(await count([1, 1])).toBe(2);
  expect(await count([900, 700])).toBe(1024);
  expect(await count(new Array<number>(1024).fill(2))).toBe(512);
});
