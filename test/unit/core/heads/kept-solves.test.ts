import { expect, it } from 'vitest';
import { LatestSystems, NamedValues } from '../../../../packages/core/src/heads/kept-solves.ts';

it('keeps the systems that were asked for last, and makes room before it makes another', async () => {
  const made: number[] = [];
  const systems = new LatestSystems<string>(2);
  const at = (lambda: number): Promise<string> =>
    systems.at(lambda, async () => {
      made.push(lambda);
      return `system ${lambda}`;
    });
  for (const lambda of [1, 2, 1, 3, 1, 2]) expect(await at(lambda)).toBe(`system ${lambda}`);
  expect(made).toEqual([1, 2, 3, 2]);
});

it('forgets none of the others where one cannot be made', async () => {
  const systems = new LatestSystems<number>(3);
  await systems.at(1, async () => 1);
  await expect(systems.at(2, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await systems.at(1, () => Promise.reject(new Error('gone')))).toBe(1);
});

it('makes each named value once, equal names together, and never keeps more than it may', async () => {
  const asked: string[][] = [];
  const values = new NamedValues<string>(4);
  const of = (...keys: string[]): Promise<string[]> =>
    values.of(keys, async (indices) => {
      asked.push(indices.map((i) => keys[i]));
      return indices.map((i) => keys[i].toUpperCase());
    });
  expect(await of('a', 'b', 'a')).toEqual(['A', 'B', 'A']);
  expect(await of('b', 'c', 'd')).toEqual(['B', 'C', 'D']);
  expect(await of('d', 'a')).toEqual(['D', 'A']);
  expect(await of('a', 'e', 'b')).toEqual(['A', 'E', 'B']);
  expect(await of('e', 'a')).toEqual(['E', 'A']);
  expect(asked).toEqual([['a', 'b'], ['c', 'd'], ['e'], ['a']]);
});
