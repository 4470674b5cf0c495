import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCodes } from '../../../../packages/core/src/memory/codes.ts';
import { ExampleMemory, type Example } from '../../../../packages/core/src/memory/example-memory.ts';
import { clusterEmbedding } from '../../../embeddings.ts';

const TAPS = 2;
const DIM = 5;
const LABELS = ['b', 'a', '__proto__', 'ä', '🦔'];

function example(number: number): Example {
  const codes = encodeCodes(clusterEmbedding(number, 0, TAPS * DIM), 1, TAPS, DIM);
  return { id: `id${number}`, source: number % 2 === 0 ? `${number}.jpg` : undefined, codes };
}

/** The naive reference: plain sets of examples by label, turned into a memory in one go. */
type Content = Map<string, Set<number>>;

function freshMemory(content: Content): ExampleMemory {
  const memory = new ExampleMemory(TAPS, DIM);
  for (const [label, numbers] of content) memory.add(label, [...numbers].map(example));
  return memory;
}

describe('ExampleMemory', () => {
  it('equals a fresh memory of the same content after any history of adds, removes, renames and merges (1,000 histories)', () => {
    const label = fc.constantFrom(...LABELS);
    const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 5 });
    const step = fc.oneof(
      fc.record({ verb: fc.constant('add' as const), label, numbers }),
      fc.record({ verb: fc.constant('remove' as const), label, numbers }),
      fc.record({ verb: fc.constant('removeClass' as const), label }),
      fc.record({ verb: fc.constant('rename' as const), label, to: label }),
      fc.record({ verb: fc.constant('view' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const memory = new ExampleMemory(TAPS, DIM);
        const content: Content = new Map();
        for (const move of steps) {
          if (move.verb === 'view') memory.view();
          else if (move.verb === 'add') {
            memory.add(move.label, move.numbers.map(example));
            content.set(move.label, new Set([...(content.get(move.label) ?? []), ...move.numbers]));
          } else if (!content.has(move.label)) {
            continue;
          } else if (move.verb === 'removeClass') {
            memory.removeClass(move.label);
            content.delete(move.label);
          } else if (move.verb === 'rename') {
            if (content.has(move.to)) continue;
            memory.rename(move.label, move.to);
            content.set(move.to, content.get(move.label) as Set<number>);
            content.delete(move.label);
          } else {
            const present = content.get(move.label) as Set<number>;
            const going = move.numbers.filter((number) => present.has(number));
            memory.removeExamples(
              move.label,
              going.map((number) => `id${number}`),
            );
            for (const number of going) present.delete(number);
            if (present.size === 0) content.delete(move.label);
          }
        }
        expect(memory.view()).toEqual(freshMemory(content).view());
        expect(memory.numExamples).toBe(memory.view().numExamples);
      }),
      { numRuns: 1000 },
    );
  });

  it('holds the exact sums of its codes', () => {
    const memory = freshMemory(
      new Map([
        ['a', new Set([0, 1, 2])],
        ['b', new Set([3])],
      ]),
    );
    const { codes, sums, classIndices, width } = memory.view();
    const naive = new Float64Array(sums.length);
    classIndices.forEach((classIndex, row) => {
      for (let j = 0; j < width; j++) naive[classIndex * width + j] += codes[row * width + j];
    });
    expect(sums).toEqual(naive);
  });

  it('keeps one of two codes of one picture whichever came first', () => {
    const first = example(0);
    const nudged = { ...first, codes: first.codes.map((code, i) => (i === 3 ? code + 1 : code)) };
    const build = (...order: Example[]) => {
      const memory = new ExampleMemory(TAPS, DIM);
      for (const item of order) memory.add('a', [item]);
      return memory.view();
    };
    expect(build(first, nudged)).toEqual(build(nudged, first));
    expect(build(first, nudged).numExamples).toBe(1);
  });

  it('keeps one of three codes of one picture in every order, and in a chain goes by the one kept so far', () => {
    const at = (code: number): Example => {
      const codes = new Int8Array(TAPS * DIM).fill(50);
      codes[3] = code;
      return { ...example(0), codes };
    };
    const outcome = (codes: readonly number[]): unknown => {
      const memory = new ExampleMemory(TAPS, DIM);
      try {
        for (const code of codes) memory.add('a', [at(code)]);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return memory.view();
    };
    const alike = [0, 1, 2];
    for (const first of alike)
      for (const second of alike.filter((code) => code !== first)) {
        expect(outcome([first, second, 3 - first - second])).toEqual(outcome([0]));
      }
    // Cosines .981 of neighbours, .92 of the outer two: the middle one makes them no one picture.
    expect(outcome([-30, 30])).toBe('INVALID_ARGUMENT');
    expect(outcome([-30, 0, 30])).toBe('INVALID_ARGUMENT');
    expect(outcome([0, 30, -30])).toEqual(outcome([-30]));
  });

  it('refuses one id for two pictures and changes nothing', () => {
    const memory = freshMemory(new Map([['a', new Set([0])]]));
    const before = memory.view();
    const impostor = { ...example(1), id: 'id0' };
    expect(() => memory.add('a', [example(2), impostor])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(memory.view()).toBe(before);
  });

  it('removes all of the given examples or none', () => {
    const memory = freshMemory(new Map([['a', new Set([0, 1])]]));
    expect(() => memory.removeExamples('a', ['id0', 'nobody'])).toThrow(
      expect.objectContaining({ code: 'EXAMPLE_NOT_FOUND' }),
    );
    expect(memory.numExamples).toBe(2);
  });

  it('names the classes there are when asked for one that is not', () => {
    const memory = freshMemory(
      new Map([
        ['a', new Set([0])],
        ['b', new Set([1])],
      ]),
    );
    expect(() => memory.removeClass('c')).toThrow('got "c"; classes are "a", "b"');
    expect(() => memory.rename('a', 'b')).toThrow(expect.objectContaining({ code: 'CLASS_EXISTS' }));
  });

  it('joins two classes, or nothing where one id names two pictures', () => {
    const memory = freshMemory(
      new Map([
        ['a', new Set([0, 1])],
        ['b', new Set([1, 2])],
      ]),
    );
    memory.mergeClasses('a', 'b');
    expect(memory.view()).toEqual(freshMemory(new Map([['b', new Set([0, 1, 2])]])).view());
    memory.add('c', [{ ...example(5), id: 'id0' }]);
    const before = memory.view();
    expect(() => memory.mergeClasses('c', 'b')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(memory.view()).toBe(before);
  });

  it('takes in all of another memory, or nothing', () => {
    const memory = freshMemory(new Map([['a', new Set([0])]]));
    memory.merge(
      freshMemory(
        new Map([
          ['a', new Set([1])],
          ['b', new Set([2])],
        ]),
      ),
    );
    expect(memory.view()).toEqual(
      freshMemory(
        new Map([
          ['a', new Set([0, 1])],
          ['b', new Set([2])],
        ]),
      ).view(),
    );
    const clashing = freshMemory(new Map([['0', new Set([9])]]));
    clashing.add('b', [{ ...example(7), id: 'id2' }]);
    const before = memory.view();
    expect(() => memory.merge(clashing)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(memory.view()).toBe(before);
  });
});
