/** Leave-one-out of the nearest class mean, against the mean of what is left. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestClassMean } from '../../../../packages/core/src/heads/nearest-class-mean.ts';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { memoryFromCodes } from '../../../../packages/core/src/memory/from-codes.ts';
import { clusterMemory } from './example-sets.ts';

const context = { gemm };

describe.each(['cosine', 'euclidean'] as const)('leave-one-out by %s', (metric) => {
  const head = nearestClassMean({ metric, taps: 0.3 });

  it('is the fit to the others, but for classes that it empties', async () => {
    const memory = clusterMemory({ counts: [3, 1, 6, 2], taps: 2, dim: 7 });
    const { width } = memory;
    const leftOut = (await head.fit(memory, context)).leaveOneOut();
    for (const [i, own] of memory.classIndices.entries()) {
      if (memory.counts[own] === 1) continue;
      const codes = memory.codes.filter((_, at) => Math.floor(at / width) !== i);
      const owners = [...memory.classIndices].filter((_, row) => row !== i);
      const without = await head.fit(memoryFromCodes(codes, owners, 2, 7), context);
      const scores = new Float64Array(4);
      without.scoresInto(memory.codes.subarray(i * width, (i + 1) * width), 1, scores);
      // Scores of queries are of rounded weights, see linear-scores.ts.
      for (let c = 0; c < 4; c++) expect(leftOut[i * 4 + c]).toBeCloseTo(scores[c], 8);
    }
  });

  it('scores exactly 0 where the others of its class cancel', async () => {
    const code = fc.integer({ min: -127, max: 127 });
    const row = fc.array(code, { minLength: 6, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 4 }), row, row, async (pairs, left, other) => {
        const own = [...pairs.flatMap((x) => [x, x.map((q) => -q)]), left];
        const codes = Int8Array.from([...own, other].flat());
        const owners = [...own.map(() => 0), 1];
        const fitted = await head.fit(memoryFromCodes(codes, owners, 2, 3), context);
        expect(Math.abs(fitted.leaveOneOut()[(own.length - 1) * 2])).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('stands in for a class that it empties by the mean of the others, exactly 0 where they cancel', async () => {
    const [x, y, z] = [
      [77, 101, 3],
      [13, -64, 88],
      [31, 7, -2],
    ];
    const minus = (codes: readonly number[]): number[] => codes.map((q) => -q);
    // Class y of one example, beside x and -x, then beside three times z and three times -z.
    for (const [rows, owners] of [
      [
        [y, x, minus(x)],
        [0, 1, 2],
      ],
      [
        [y, z, z, z, minus(z), minus(z), minus(z)],
        [0, 1, 1, 1, 2, 2, 2],
      ],
    ]) {
      const codes = Int8Array.from(rows.flat());
      const fitted = await head.fit(memoryFromCodes(codes, owners as number[], 3, 1), context);
      expect(Math.abs(fitted.leaveOneOut()[0])).toBe(0);
    }
  });
});
