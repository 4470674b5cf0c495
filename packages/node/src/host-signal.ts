/** An abort signal of the caller's, as Node's own functions take it. */

import type { AbortSignalLike } from '@imprint/core';

/** `{ signal }` for a call of Node's; nothing for a signal without listeners, which is looked at between calls. */
export function hostSignal(signal: AbortSignalLike | undefined): { readonly signal?: AbortSignal } {
  return typeof signal?.addEventListener === 'function' ? { signal: signal as AbortSignal } : {};
}
