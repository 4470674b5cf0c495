import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { carriedGram } from '../../../../packages/core/src/memory/carried-gram.ts';
import { Carry } from '../../../../packages/core/src/memory/carry.ts';
import { matchRows } from '../../../../packages/core/src/memory/match-rows.ts';

/** Rows of three codes with few values, so that equal rows are common. */
const rows = fc.array(fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: -1, max: 1 }))), { maxLength: 12 });
const flat = (list: readonly (readonly number[])[]): Int8Array => Int8Array.from(list.flat());

describe('rows that were there before', () => {
  it('are found wherever they moved, each once, and no other row is', () => {
    fc.assert(
      fc.property(rows, rows, (before, after) => {
        const sources = matchRows(flat(before), flat(after), 3);
        const used = new Set<number>();
        for (const [i, from] of sources.entries()) {
          if (from < 0) continue;
          expect(before[from]).toEqual(after[i]);
          expect(used.has(from)).toBe(false);
          used.add(from);
        }
        // As many as the two have in common.
        const left = before.map(String);
        let common = 0;
        for (const row of after) {
          const at = left.indexOf(String(row));
          if (at < 0) continue;
          left.splice(at, 1);
          common++;
        }
        expect(used.size).toBe(common);
      }),
    );
  });
});

describe('a Gram matrix that is carried on', () => {
  it('equals the sum over all rows after any changes of rows and weights', async () => {
    const state = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.constantFrom(1, 3, 2 ** 26)), {
      minLength: 1,
      maxLength: 20,
    });
    const [width, columns] = [530, 520];
    const codeOf = (name: number): Int8Array =>
      Int8Array.from({ length: width }, (_, j) => ((name * 7919 + j * 104729) % 255) - 127);
    await fc.assert(
      fc.asyncProperty(fc.array(state, { minLength: 1, maxLength: 4 }), async (states) => {
        const carry = new Carry();
        for (const one of states) {
          const codes = new Int8Array(one.length * width);
          one.forEach(([name], i) => codes.set(codeOf(name), i * width));
          const weights = Float64Array.from(one, ([, weight]) => weight);
          const of = { rows: codes, width, columns, weights };
          const carried = await carriedGram('test', '', codes, of, { gemm: typedArrayGemm, carry }, true);
          const fresh = await carriedGram('test', '', codes, of, { gemm: typedArrayGemm }, true);
          expect(carried.every((sum, i) => sum === fresh[i])).toBe(true);
          for (const [a, b] of [
            [0, 0],
            [519, 0],
            [3, 517],
            [519, 519],
          ]) {
            let sum = 0;
            for (let i = 0; i < one.length; i++) sum += weights[i] * codes[i * width + a] * codes[i * width + b];
            expect(carried[a * columns + b]).toBe(sum);
          }
        }
      }),
      { numRuns: 6 },
    );
  });

  it('is not used for other parameters', async () => {
    const carry = new Carry();
    const codes = Int8Array.of(1, 2, 3, 4);
    const context = { gemm: typedArrayGemm, carry };
    await carriedGram('test', 'doubled', codes, { rows: codes.map((x) => 2 * x), width: 2, columns: 2 }, context);
    const plain = await carriedGram('test', 'plain', codes, { rows: codes, width: 2, columns: 2 }, context);
    expect(Array.from(plain)).toEqual([10, 14, 14, 20]);
  });
});
