import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FitContext, FittedHead, Head } from '../../../../packages/core/src/head.ts';
import { headNamed } from '../../../../packages/core/src/heads/head-named.ts';
import { discriminant } from '../../../../packages/core/src/heads/discriminant.ts';
import { kernelRidge } from '../../../../packages/core/src/heads/kernel-ridge.ts';
import { projectedRidge } from '../../../../packages/core/src/heads/projected-ridge.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { Carry } from '../../../../packages/core/src/memory/carry.ts';
import { ExampleMemory } from '../../../../packages/core/src/memory/example-memory.ts';
import { whitenedMemory } from '../../../../packages/core/src/scores/novelty/whitened-memory.ts';

const [TAPS, DIM] = [2, 6];

const heads: Head[] = [
  projectedRidge({ numFeatures: 20 }),
  discriminant(),
  kernelRidge(),
  {
    name: 'auto on few features',
    fit: (memory, context) => headNamed('auto').fit(memory, { ...context, maxOrder: 32 }),
  },
];

/** What a person does to a classifier, by small numbers that name classes and examples. */
const change = fc.record({
  verb: fc.constantFrom('add', 'add', 'add', 'remove', 'rename', 'merge', 'forget'),
  a: fc.integer({ min: 0, max: 4 }),
  b: fc.integer({ min: 0, max: 4 }),
  count: fc.integer({ min: 1, max: 8 }),
});

function codesOf(a: number, at: number): Int8Array {
  return Int8Array.from(
    { length: TAPS * DIM },
    (_, j) => ((a * 31 + at * 17 + j * j * (a + 2) + at * j * 5) % 160) - 80,
  );
}

function apply(memory: ExampleMemory, { verb, a, b, count }: typeof change extends fc.Arbitrary<infer T> ? T : never) {
  const [one, other] = [`class ${a}`, `class ${b}`];
  if (verb === 'add') {
    const examples = Array.from({ length: count }, (_, i) => ({
      id: `${a}-${b}-${i}`,
      source: undefined,
      codes: codesOf(a, b * 10 + i),
    }));
    memory.add(one, examples);
  } else if (!memory.has(one)) return;
  else if (verb === 'remove' && memory.numClasses > 1) memory.removeClass(one);
  else if (verb === 'rename' && !memory.has(other)) memory.rename(one, other);
  else if (verb === 'merge' && a !== b && memory.has(other)) memory.mergeClasses(one, other);
  else if (verb === 'forget' && memory.numExamples > 1) memory.removeExamples(one, [memory.examples(one)[0].id]);
}

function scoresOf(head: FittedHead, codes: Int8Array, count: number): Float64Array {
  const out = new Float64Array(count * head.numClasses);
  head.scoresInto(codes, count, out);
  return out;
}

describe.each(heads.map((head): [string, Head] => [head.name, head]))('%s', (_name, head) => {
  it('answers bit for bit alike, whatever was solved before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 5 }), { maxLength: 5 }), async (steps) => {
        const memory = new ExampleMemory(TAPS, DIM);
        for (let a = 0; a < 3; a++) apply(memory, { verb: 'add', a, b: 0, count: 8 });
        const context: FitContext = { gemm: typedArrayGemm, carry: new Carry() };
        for (const step of [[], ...steps]) {
          for (const one of step) apply(memory, one);
          const view = memory.view();
          const carried = await head.fit(view, context);
          const fresh = await head.fit(view, { gemm: typedArrayGemm });
          expect(carried.report).toEqual(fresh.report);
          expect(carried.leaveOneOut()).toEqual(fresh.leaveOneOut());
          expect(scoresOf(carried, view.codes, view.numExamples)).toEqual(
            scoresOf(fresh, view.codes, view.numExamples),
          );
          const [novelty, anew] = [
            await whitenedMemory.fit(view, context),
            await whitenedMemory.fit(view, { gemm: typedArrayGemm }),
          ];
          expect(novelty.leaveOneOut()).toEqual(anew.leaveOneOut());
        }
      }),
      { numRuns: 15 },
    );
  });

  it('leaves nothing half done behind when it is stopped', async () => {
    const memory = new ExampleMemory(TAPS, DIM);
    for (let a = 0; a < 3; a++) apply(memory, { verb: 'add', a, b: 0, count: 8 });
    const carry = new Carry();
    await head.fit(memory.view(), { gemm: typedArrayGemm, carry });
    const fresh = await (async () => {
      apply(memory, { verb: 'add', a: 3, b: 1, count: 5 });
      return head.fit(memory.view(), { gemm: typedArrayGemm });
    })();
    for (let turns = 1; turns < 12; turns++) {
      let left = turns;
      const stop = async (): Promise<void> => {
        if (--left === 0) throw new Error('enough');
      };
      await head.fit(memory.view(), { gemm: typedArrayGemm, carry, yieldToHost: stop }).catch(() => undefined);
      const after = await head.fit(memory.view(), { gemm: typedArrayGemm, carry });
      expect(after.leaveOneOut()).toEqual(fresh.leaveOneOut());
      expect(after.report).toEqual(fresh.report);
    }
  });
});
