/** Errors on their way between page and worker: an ImprintError arrives as one, with its code. */

import { ImprintError, type ImprintErrorCode } from '@imprint/core';

export interface WireError {
  /** An ImprintError's code; absent for any other error. */
  readonly code?: ImprintErrorCode;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: WireError;
}

/** Causes beyond this depth are left out: a chain may be a ring. */
const MAX_CAUSES = 4;

export function toWireError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error) && !isErrorLike(error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  const cause = 'cause' in error ? error.cause : undefined;
  return {
    ...(error instanceof ImprintError && { code: error.code }),
    name,
    message,
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && depth < MAX_CAUSES && { cause: toWireError(cause, depth + 1) }),
  };
}

export function fromWireError({ code, name, message, stack, cause }: WireError): Error {
  const options = cause === undefined ? undefined : { cause: fromWireError(cause) };
  if (code !== undefined) return new ImprintError(code, message, options);
  if (name === 'AbortError' || name === 'TimeoutError') return new DOMException(message, name);
  const error = new Error(message, options);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

function isErrorLike(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value && 'name' in value;
}
