/** Equal arrays of numbers: `toEqual` of a million of them takes a second. */

import { expect } from 'vitest';

/** Of one kind, and bit for bit the same. */
export function expectBits(found: Float64Array | Float32Array, wanted: Float64Array | Float32Array): void {
  expect(found.constructor).toBe(wanted.constructor);
  expect(found).toHaveLength(wanted.length);
  if (bytesOf(found).equals(bytesOf(wanted))) return;
  const at = wanted.findIndex((value, i) => !Object.is(found[i], value));
  // Says where they part.
  expect({ at, value: found[at] }).toEqual({ at, value: wanted[at] });
  throw new Error('Expected equal bits, got other bits of equal values (NaN).');
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array | Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
