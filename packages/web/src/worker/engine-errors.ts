/** What ONNX Runtime throws, in words for a person. */

import { ImprintError } from '@imprint/core';

/** Without the C++ source position and condition that ONNX Runtime puts first. */
export function firstLine(error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replace(/^.* was false\. /, '').slice(0, 300);
}

/** The error for `cause` where that says that memory ran out: it keeps the RangeErrors of a browser only as a text. */
export function outOfMemory(cause: unknown, what: string): ImprintError | undefined {
  const line = firstLine(cause);
  const isSo =
    cause instanceof RangeError ||
    /RangeError|out of memory|bad_alloc|memory allocation|(could not|failed to) allocate/i.test(line);
  if (!isSo) return undefined;
  const message = `Expected memory for ${what}, got: ${line}. Close other pages, or use a smaller model.`;
  return new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
}
