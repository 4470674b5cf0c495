/** Arguments of plain JavaScript: what is not what the signature asks for gets a stated error instead of the host's. */

import { expected, ImprintError } from '@imprint/core';

/** @throws INVALID_ARGUMENT */
export function requireFunction(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') throw expected(name, 'a function', value);
}

/** What is told of a message that could not be sent to the worker: structured clone refuses functions, symbols, and pictures that the page may not read. */
export function notSent(cause: unknown): ImprintError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const [code, message] = /origin-clean|tainted|insecure/i.test(why)
    ? ([
        'IMAGE_UNREADABLE',
        `Expected a picture that this page may read, got one of another origin (${why}) Serve it from this origin, or with CORS headers and <img crossorigin="anonymous">.`,
      ] as const)
    : ([
        'INVALID_ARGUMENT',
        `Expected plain values that can be sent to the worker, got one that cannot (${why}) Leave out functions, and pass no data that was moved elsewhere.`,
      ] as const);
  return new ImprintError(code, message, { cause });
}
