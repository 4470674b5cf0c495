/** Image ids against OpenSSL's SHA-256. */

import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { imageId } from '../../../../packages/core/src/image/image-id.ts';

it('is the first 16 hex digits of SHA-256, at lengths around its block size', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
    expect(imageId(bytes)).toBe(createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  }
});
