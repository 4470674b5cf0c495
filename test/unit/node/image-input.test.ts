/** What is no picture is told at the door, in a sentence. */

import { expect, it } from 'vitest';
import { openImageInput } from '../../../packages/node/src/image-input.ts';

it('refuses bytes that were moved to another thread, in a buffer of their own or in a part of one', async () => {
  const whole = new ArrayBuffer(8);
  const part = new Uint8Array(new ArrayBuffer(16), 4, 8);
  structuredClone([whole, part], { transfer: [whole, part.buffer] });
  for (const image of [whole, part, { image: part, source: 'a.jpg' }]) {
    await expect(openImageInput(image)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /^Expected bytes that are still here for image, got a buffer .* \(detached\)\. Pass a copy/,
      ),
    });
  }
});

it('copies the bytes that it is given', async () => {
  const given = Uint8Array.of(1, 2, 3);
  for (const image of [given, given.buffer]) {
    const { bytes } = await openImageInput(image);
    expect(bytes).toEqual(given);
    expect(bytes?.buffer).not.toBe(given.buffer);
  }
});
