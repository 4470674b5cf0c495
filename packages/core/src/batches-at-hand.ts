/** Items of a stream in batches, without waiting for a batch to be full. */

/** Steps in which a source that has its next item gives it. */
const HOPS = 16;

/**
 * As many items as are at hand, at most `most` in a batch: a source that pauses is not waited for with what came before.
 * What the source throws comes after the items before it.
 * @param turn lets the host's event loop turn; items that come within one are at hand
 */
export async function* batchesAtHand<T>(
  items: AsyncIterable<T>,
  most: number,
  turn: (() => Promise<void>) | undefined,
): AsyncGenerator<T[], void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let found: IteratorResult<T> | 'failed' | undefined;
  const ask = (): Promise<IteratorResult<T>> => {
    found = undefined;
    const step = iterator.next();
    step.then(
      (result) => (found = result),
      () => (found = 'failed'),
    );
    return step;
  };
  const isAtHand = async (): Promise<boolean> => {
    for (let hop = 0; hop < HOPS && found === undefined; hop++) await undefined;
    if (found === undefined) await Promise.race([next, turn?.()]).catch(() => undefined);
    return typeof found === 'object' && found.done !== true;
  };
  let next = ask();
  try {
    for (;;) {
      const first = await next;
      if (first.done === true) return;
      const batch = [first.value];
      next = ask();
      while (batch.length < most && (await isAtHand())) {
        batch.push(((await next) as IteratorYieldResult<T>).value);
        next = ask();
      }
      yield batch;
    }
  } finally {
    const closed = Promise.resolve(iterator.return?.());
    // A source that is waiting for its next item closes when that comes: no reason to wait with it.
    if (found === undefined) closed.catch(() => undefined);
    else await closed;
  }
}
