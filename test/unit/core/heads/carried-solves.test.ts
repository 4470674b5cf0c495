import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FitContext, FittedHead, Head } from '../../../../packages/core/src/head.ts';
import { chooseHead } from '../../../../packages/core/src/heads/choose.ts';
import { headNamed } from '../../../../packages/core/src/heads/head-named.ts';
import { discriminant } from '../../../../packages/core/src/heads/discriminant.ts';
import { kernelRidge } from '../../../../packages/core/src/heads/kernel-ridge.ts';
import { projectedRidge } from '../../../../packages/core/src/heads/projected-ridge.ts';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { wasmGemm } from '../../../../packages/core/src/linalg/wasm-gemm.ts';
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

/** The largest difference of two arrays. */
function unlike(a: Float64Array, b: Float64Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}

/** Examples `[from, from + count)` of class a, about a centre of its own. */
function scattered(dim: number, a: number, from: number, count: number) {
  const hash = (n: number): number => Math.imul(n + 1, 0x9e3779b1) >> 24;
  return Array.from({ length: count }, (_, i) => ({
    id: `${a}-${String(from + i).padStart(3, '0')}`,
    source: undefined,
    codes: Int8Array.from(
      { length: TAPS * dim },
      (_code, j) => (hash(a * 97 + j) >> 1) + (hash(a * 7919 + (from + i) * 131 + j * 17) >> 2),
    ),
  }));
}

function filled(dim: number, numClasses: number, shots: number): ExampleMemory {
  const memory = new ExampleMemory(TAPS, dim);
  for (let a = 0; a < numClasses; a++) memory.add(`class ${a}`, scattered(dim, a, 1, shots));
  return memory;
}

/** A classifier of many features: solved states are kept, and those a few rows away start from them. */
describe.each([
  ['few classes, each a side of its own', 30, 30],
  ['many classes, under random signs', 90, 9],
])('a ridge on many features with %s', (_name, numClasses, shots) => {
  const numFeatures = 640;
  const of = (a: number, from: number, count: number) => scattered(DIM, a, from, count);

  it('answers alike after every change, factoring less than a solve from nothing', async () => {
    const memory = filled(DIM, numClasses, shots);
    let factored = 0;
    const gemm = {
      ...typedArrayGemm,
      subtract64: (...args: Parameters<typeof typedArrayGemm.subtract64>) => {
        // A factorisation multiplies panels of many rows with each other.
        if (args[3].m > 256 && args[3].n === 128 && args[3].k === 128) factored++;
        return typedArrayGemm.subtract64(...args);
      },
    };
    const context: FitContext = { gemm, carry: new Carry() };
    // The last tap alone: its features do not depend on how many examples a class has.
    const head = projectedRidge({ numFeatures, taps: 'last' });
    await head.fit(memory.view(), context);
    const fromNothing = factored;
    expect(fromNothing).toBeGreaterThan(0);
    let inAll = 0;
    const steps: [string, () => void][] = [
      ['a new class', () => memory.add('new', of(500, 0, 6))],
      ['another', () => memory.add('newer', of(501, 0, 1))],
      ['an example more', () => memory.add('class 3', of(3, 600, 1))],
      ['one that becomes the first of its class', () => memory.add('class 4', of(4, 0, 1))],
      ['an example less', () => memory.removeExamples('class 5', [memory.examples('class 5')[0].id])],
      ['a class less', () => memory.removeClass('newer')],
      ['a merge', () => memory.mergeClasses('new', 'class 6')],
      ['a new name', () => memory.rename('class 7', 'seven')],
      ['nothing', () => undefined],
    ];
    for (const [name, step] of steps) {
      step();
      const view = memory.view();
      factored = 0;
      const carried = await head.fit(view, context);
      inAll += factored;
      const fresh = await head.fit(view, { gemm: wasmGemm });
      expect(carried.report.parameters.lambda, name).toBe(fresh.report.parameters.lambda);
      expect(carried.leaveOneOutRows).toEqual(fresh.leaveOneOutRows);
      expect(unlike(carried.leaveOneOut(), fresh.leaveOneOut()), name).toBeLessThan(1e-8);
      const count = 100;
      expect(unlike(scoresOf(carried, view.codes, count), scoresOf(fresh, view.codes, count)), name).toBeLessThan(1e-9);
    }
    // A lambda that no state before has asked for is factored once.
    expect(inAll).toBeLessThan((steps.length * fromNothing) / 2);
  }, 120_000);

  it('starts from nothing where too much has changed', async () => {
    const memory = filled(DIM, numClasses, shots);
    const context: FitContext = { gemm: typedArrayGemm, carry: new Carry() };
    const head = projectedRidge({ numFeatures, taps: 'last' });
    await head.fit(memory.view(), context);
    memory.add('large', of(502, 0, 90));
    const view = memory.view();
    const carried = await head.fit(view, context);
    const fresh = await head.fit(view, { gemm: typedArrayGemm });
    expect(carried.report).toEqual(fresh.report);
    expect(scoresOf(carried, view.codes, 50)).toEqual(scoresOf(fresh, view.codes, 50));
  }, 60_000);
});

/** A kernel ridge of more examples than are solved from nothing every time: factors are kept, and states close by start from them. */
describe('a ridge on a kernel', () => {
  const dim = 8;
  const of = (a: number, from: number, count: number) => scattered(dim, a, from, count);
  /** Fits and counts what was factored: inverse diagonals take products with as many columns as rows. */
  const counting = () => {
    const counted = { solves: 0 };
    const gemm = {
      ...typedArrayGemm,
      subtract64: (...args: Parameters<typeof typedArrayGemm.subtract64>) => {
        if (args[3].n === 128 && args[3].k === 128) counted.solves++;
        return typedArrayGemm.subtract64(...args);
      },
    };
    return { counted, context: { gemm, carry: new Carry() } satisfies FitContext };
  };

  it('answers alike after every change, factoring less than a solve from nothing', async () => {
    const memory = filled(dim, 28, 10);
    const { counted, context } = counting();
    const head = kernelRidge();
    await head.fit(memory.view(), context);
    const fromNothing = counted.solves;
    expect(fromNothing).toBeGreaterThan(0);
    counted.solves = 0;
    const steps: [string, () => void][] = [
      ['an example more', () => memory.add('class 3', of(3, 600, 1))],
      ['an example twice', () => memory.add('class 3', [{ ...of(3, 600, 1)[0], id: 'again' }])],
      ['one that becomes the first of its class', () => memory.add('class 3', of(3, 0, 1))],
      ['a new class', () => memory.add('new', of(500, 0, 3))],
      ['one more in it', () => memory.add('new', of(500, 9, 1))],
      ['an example less', () => memory.removeExamples('new', [memory.examples('new')[0].id])],
      ['a new class less', () => memory.removeClass('new')],
      ['an old example less', () => memory.removeExamples('class 3', [memory.examples('class 3')[4].id])],
      ['a merge', () => memory.mergeClasses('class 8', 'class 9')],
      ['a new name', () => memory.rename('class 7', 'seven')],
      ['nothing', () => undefined],
    ];
    for (const [name, step] of steps) {
      step();
      const view = memory.view();
      const carried = await head.fit(view, context);
      const fresh = await head.fit(view, { gemm: typedArrayGemm });
      expect(carried.report, name).toEqual(fresh.report);
      expect(unlike(carried.leaveOneOut(), fresh.leaveOneOut()), name).toBeLessThan(1e-9);
      const count = 60;
      const scores = [carried, fresh].map((fitted) => scoresOf(fitted, view.codes, count));
      expect(unlike(scores[0], scores[1]), name).toBeLessThan(1e-10);
    }
    // Lambda may move by a quarter octave, to one that no state before has asked for.
    expect(counted.solves).toBeLessThan((steps.length * fromNothing) / 3);
  }, 120_000);

  it('starts from nothing where what it would load is not to be had', async () => {
    const memory = filled(dim, 16, 14);
    const offline = chooseHead(() => Promise.reject(new TypeError('Failed to fetch')));
    const context: FitContext = { gemm: typedArrayGemm, carry: new Carry() };
    await offline.fit(memory.view(), context);
    memory.add('class 3', of(3, 600, 1));
    const view = memory.view();
    const carried = await offline.fit(view, context);
    const fresh = await headNamed('auto').fit(view, { gemm: typedArrayGemm });
    expect(carried.report).toEqual(fresh.report);
    expect(scoresOf(carried, view.codes, 50)).toEqual(scoresOf(fresh, view.codes, 50));
  });

  it.each<[string, (memory: ExampleMemory) => void]>([
    ['too many examples came', (memory) => memory.add('large', of(502, 0, 40))],
    [
      'a class was cut in two',
      (memory) => {
        memory.removeExamples(
          'class 1',
          of(1, 1, 5).map(({ id }) => id),
        );
        memory.add('half', of(1, 1, 5));
      },
    ],
    [
      'a class lost most of its examples',
      (memory) =>
        memory.removeExamples(
          'class 4',
          memory
            .examples('class 4')
            .slice(2)
            .map(({ id }) => id),
        ),
    ],
  ])('starts from nothing where %s', async (_reason, change) => {
    const memory = filled(dim, 16, 14);
    const context: FitContext = { gemm: typedArrayGemm, carry: new Carry() };
    const head = kernelRidge();
    await head.fit(memory.view(), context);
    change(memory);
    const view = memory.view();
    const carried = await head.fit(view, context);
    const fresh = await head.fit(view, { gemm: typedArrayGemm });
    expect(carried.report).toEqual(fresh.report);
    expect(scoresOf(carried, view.codes, 50)).toEqual(scoresOf(fresh, view.codes, 50));
  });
});
