/** Inputs on their way into memory: embedded and encoded; unreadable ones refused or set aside. */

import type { Backbone } from './backbone.ts';
import { expected, requireIterable, requireOptions } from './errors.ts';
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

/** Embeds and encodes inputs in order. @throws the first unreadable input's error with `onUnreadable: 'throw'` */
export async function* embedInputs<Input>(
  backbone: Backbone<Input>,
  inputs: Iterable<Input> | AsyncIterable<Input>,
  options: AddOptions,
): AsyncGenerator<Example | Unreadable, void, undefined> {
  const { signal, onUnreadable = 'throw' } = requireOptions(options);
  if (onUnreadable !== 'throw' && onUnreadable !== 'skip') {
    throw expected('onUnreadable', "'throw' or 'skip'", onUnreadable);
  }
  const { dim, taps } = backbone.identity;
  signal?.throwIfAborted();
  for await (const item of backbone.embed(
    requireIterable(inputs, 'examples'),
    signal === undefined ? {} : { signal },
  )) {
    if (!('error' in item)) {
      const { id, source, embedding } = item;
      yield { id, source, codes: encodeCodes(embedding, 1, taps.length, dim) };
    } else if (onUnreadable === 'throw') throw item.error;
    else yield item;
  }
}
