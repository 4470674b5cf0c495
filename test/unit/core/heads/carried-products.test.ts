import { describe, expect, it } from 'vitest';
import { carriedProducts } from '../../../../packages/core/src/heads/carried-products.ts';
import { codeProducts } from '../../../../packages/core/src/heads/code-products.ts';
import { tapGroups, tapWeights } from '../../../../packages/core/src/heads/tap-weights.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { Carry } from '../../../../packages/core/src/memory/carry.ts';
import { memoryFromCodes } from '../../../../packages/core/src/memory/from-codes.ts';
import type { Memory } from '../../../../packages/core/src/memory/memory.ts';
import { clusterCodes } from './example-sets.ts';

const [taps, dim] = [2, 6];
const width = taps * dim;
const codes = clusterCodes({ counts: [200], taps, dim });
const groups = tapGroups(taps, dim, tapWeights(taps, 0.4));

function memoryOf(rows: readonly number[]): Memory {
  const chosen = Int8Array.from(rows.flatMap((i) => Array.from(codes.subarray(i * width, (i + 1) * width))));
  return memoryFromCodes(
    chosen,
    rows.map(() => 0),
    taps,
    dim,
  );
}

/** A Gemm that counts the rows it was asked for. */
function countingGemm() {
  const counted = { rows: 0 };
  const f32: typeof typedArrayGemm.f32 = (a, b, shape) => {
    counted.rows += shape.m;
    return typedArrayGemm.f32(a, b, shape);
  };
  return { counted, gemm: { ...typedArrayGemm, f32 } };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('products of examples', () => {
  it.each([
    ['some came between others', [...range(0, 40), 150, 151, ...range(40, 120)], true],
    ['some went', [...range(0, 20), ...range(25, 90), ...range(91, 120)], true],
    ['some moved', [...range(60, 120), ...range(0, 60)], true],
    ['some came, went and moved', [...range(100, 120), 160, ...range(0, 50), ...range(52, 100), 161], true],
    ['nothing changed', range(0, 120), true],
    ['only the last went', range(0, 119), true],
    ['most are new', [...range(0, 40), ...range(120, 200)], false],
    ['the order is another one', range(0, 120).map((i) => (i * 7) % 120), false],
  ])('are bit for bit those of all, where %s', async (_name, rows, isCarried) => {
    const { counted, gemm } = countingGemm();
    const context = { gemm, carry: new Carry() };
    await carriedProducts(memoryOf(range(0, 120)), groups, context);
    counted.rows = 0;
    const memory = memoryOf(rows);
    const carried = await carriedProducts(memory, groups, context);
    const { numExamples: n } = memory;
    expect(counted.rows > 0).toBe(!isCarried);
    expect(carried).toEqual(await codeProducts(memory.codes, n, memory.codes, n, width, groups, { gemm }));
  });

  it('are those of other weights of the taps where these change', async () => {
    const context = { gemm: typedArrayGemm, carry: new Carry() };
    const memory = memoryOf(range(0, 100));
    const first = await carriedProducts(memory, groups, context);
    const others = tapGroups(taps, dim, tapWeights(taps, 'last'));
    const second = await carriedProducts(memory, others, context);
    expect(second).not.toEqual(first);
    expect(second).toEqual(await codeProducts(memory.codes, 100, memory.codes, 100, width, others, context));
  });
});
