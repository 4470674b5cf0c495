import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { codeGram } from '../../../../packages/core/src/memory/gram.ts';

const context = { gemm: typedArrayGemm };

function naiveGram(codes: Int8Array, count: number, width: number): bigint[] {
  const gram = Array<bigint>(width * width).fill(0n);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < width; j++)
      for (let k = 0; k < width; k++) gram[j * width + k] += BigInt(codes[i * width + j] * codes[i * width + k]);
  return gram;
}

describe('the Gram matrix of codes', () => {
  it('equals the sum of integers, whatever the order of the rows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.integer({ min: -127, max: 127 })),
        async (count, width, stream) => {
          const codes = Int8Array.from({ length: count * width }, () => stream.next().value as number);
          const gram = await codeGram(codes, count, width, context);
          expect(Array.from(gram, BigInt)).toEqual(naiveGram(codes, count, width));
          const reversed = new Int8Array(codes.length);
          for (let i = 0; i < count; i++)
            reversed.set(codes.subarray(i * width, (i + 1) * width), (count - 1 - i) * width);
          expect(await codeGram(reversed, count, width, context)).toEqual(gram);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is exact over block borders with the largest codes', async () => {
    const codes = new Int8Array(2500 * 3).fill(-127);
    const gram = await codeGram(codes, 2500, 3, context);
    expect(gram.every((x) => x === 2500 * 127 * 127)).toBe(true);
  });

  it('covers a range of columns', async () => {
    const codes = Int8Array.from([1, 2, 3, 4, 5, 6]);
    expect(Array.from(await codeGram(codes, 2, 3, context, 1, 2))).toEqual([4 + 25, 6 + 30, 6 + 30, 9 + 36]);
  });
});
