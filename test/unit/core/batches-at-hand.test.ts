import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { batchesAtHand } from '../../../packages/core/src/batches-at-hand.ts';

const nextTurn = () => turn();

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[][]> {
  const found: T[][] = [];
  for await (const batch of batches) found.push(batch);
  return found;
}

async function* atOnce(count: number) {
  for (let i = 0; i < count; i++) yield i;
}

describe.each([
  ['with turns of the host', nextTurn],
  ['without', undefined],
] as const)('batches at hand, %s', (_, turns) => {
  it('are full where everything is at hand', async () => {
    const sizes = (await all(batchesAtHand(atOnce(70), 32, turns))).map(({ length }) => length);
    expect(sizes).toEqual([32, 32, 6]);
    expect(await all(batchesAtHand(atOnce(0), 32, turns))).toEqual([]);
    expect((await all(batchesAtHand(atOnce(64), 32, turns))).flat()).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  it('come at once where the source pauses, and the source is not asked for more than one item ahead', async () => {
    let asked = 0;
    const release: (() => void)[] = [];
    async function* paused() {
      for (let i = 0; i < 6; i++) {
        asked++;
        if (i % 2 === 0) await new Promise<void>((resolve) => release.push(resolve));
        yield i;
      }
    }
    const batches = batchesAtHand(paused(), 32, turns);
    for (const pair of [0, 2, 4]) {
      const batch = batches.next();
      await expect.poll(() => release.length).toBe(1);
      release.pop()!();
      expect((await batch).value).toEqual([pair, pair + 1]);
      expect(asked).toBeLessThanOrEqual(pair + 3);
    }
    expect((await batches.next()).done).toBe(true);
  });

  it('come before what the source throws', async () => {
    async function* breaks() {
      yield 1;
      yield 2;
      throw new Error('the source broke');
    }
    const batches = batchesAtHand(breaks(), 32, turns);
    expect((await batches.next()).value).toEqual([1, 2]);
    await expect(batches.next()).rejects.toThrow('the source broke');
  });

  it('end the source where the reader stops, and do not wait for one that never comes back', async () => {
    let closed = 0;
    async function* endless(pauses: boolean) {
      try {
        for (let i = 0; ; i++) {
          if (pauses && i === 1) await new Promise(() => {});
          yield i;
        }
      } finally {
        closed++;
      }
    }
    for await (const batch of batchesAtHand(endless(false), 4, turns)) {
      expect(batch).toEqual([0, 1, 2, 3]);
      break;
    }
    await expect.poll(() => closed).toBe(1);
    const stopped = (async () => {
      for await (const batch of batchesAtHand(endless(true), 4, turns)) return batch;
      return undefined;
    })();
    expect(await Promise.race([stopped, sleep(10_000, 'waits')])).toEqual([0]);
  });
});
