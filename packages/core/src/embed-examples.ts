/** Examples on their way into memory: embedded, encoded, counted; unreadable ones refused or set aside. */

import type { Backbone } from './backbone.ts';
import { ImprintError } from './errors.ts';
import { encodeCodes } from './memory/codes.ts';
import type { Example } from './memory/example-memory.ts';
import type { AbortSignalLike } from './platform.ts';
import type { Unreadable } from './prediction.ts';

export interface AddOptions {
  /** Aborting leaves the classifier as it was; the call throws the signal's reason. */
  readonly signal?: AbortSignalLike;
  /** Called after each input with how many are done. */
  readonly onProgress?: (progress: { readonly done: number }) => void;
  /** `throw` (the default) refuses the whole call for one unreadable input; `skip` leaves it out and reports it. */
  readonly onUnreadable?: 'throw' | 'skip';
}

export interface EmbeddedExamples {
  readonly examples: readonly Example[];
  readonly unreadable: readonly Unreadable[];
}

/**
 * Embeds and encodes every input.
 * @throws NO_EXAMPLES where none is left; the first unreadable input's error with `onUnreadable: 'throw'`
 */
export async function embedExamples<Input>(
  backbone: Backbone<Input>,
  inputs: Iterable<Input> | AsyncIterable<Input>,
  { signal, onProgress, onUnreadable = 'throw' }: AddOptions,
): Promise<EmbeddedExamples> {
  const { dim, taps } = backbone.identity;
  const examples: Example[] = [];
  const unreadable: Unreadable[] = [];
  signal?.throwIfAborted();
  for await (const item of backbone.embed(inputs, signal === undefined ? {} : { signal })) {
    if ('error' in item) {
      if (onUnreadable === 'throw') throw item.error;
      unreadable.push(item);
    } else {
      const codes = encodeCodes(item.embedding, 1, taps.length, dim);
      examples.push({ id: item.id, source: item.source, codes });
    }
    onProgress?.({ done: examples.length + unreadable.length });
  }
  signal?.throwIfAborted();
  if (examples.length === 0) {
    const cause = unreadable[0]?.error;
    throw new ImprintError(
      'NO_EXAMPLES',
      cause === undefined
        ? 'Expected at least one example, got none. Pass one or more inputs.'
        : `Expected at least one readable example, got ${unreadable.length} that cannot be read. The first: ${cause.message}`,
      { cause },
    );
  }
  return { examples, unreadable };
}
