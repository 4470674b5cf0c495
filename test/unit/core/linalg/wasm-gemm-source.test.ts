/** The machine code of the matrix kernels is what its source compiles to, and the fused one is the same but for its sums. */

import { setFlagsFromString } from 'node:v8';
import { expect, it } from 'vitest';
import { fused } from '../../../../packages/core/src/linalg/wasm-module.ts';
import { expectCommitted } from '../machine-code-source.ts';

it('the committed machine code of the matrix kernels is what its source compiles to, and small enough to compile at once', () => {
  const plain = expectCommitted('linear-algebra.as.ts', 'linalg/wasm-module.ts');

  // Eight sums in each of the two products and nowhere else: digits that only look like them would show.
  const relaxed = fused(plain);
  expect(relaxed.length).toBe(plain.length);
  expect(plain.match(/fd8[57]02010101/g)).toBe(null);
  expect(relaxed.match(/fd8[57]02010101/g)).toHaveLength(16);
  if (Number.parseInt(process.versions.node, 10) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
  for (const hex of [plain, relaxed]) expect(WebAssembly.validate(Uint8Array.from(Buffer.from(hex, 'hex')))).toBe(true);
});
