/** Where a picture's file ends: whole files pass, files that stop anywhere before do not. */

import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { isCutOff } from '../../../../packages/core/src/image/picture-end.ts';
import type { PictureFormat } from '../../../../packages/core/src/image/picture-header.ts';

const noise = (channels: 3 | 4 = 3) =>
  sharp({
    create: {
      width: 61,
      height: 47,
      channels,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  });

/** A JPEG whose metadata hold a whole JPEG, as cameras write a thumbnail. */
async function withThumbnail(): Promise<Buffer> {
  const [picture, small] = await Promise.all([noise().jpeg().toBuffer(), noise().resize(8).jpeg().toBuffer()]);
  const segment = Buffer.alloc(4);
  segment.writeUInt16BE(0xffe1);
  segment.writeUInt16BE(small.length + 2, 2);
  return Buffer.concat([picture.subarray(0, 2), segment, small, picture.subarray(2)]);
}

/** Two frames, the second unlike the first. */
const animation = async () =>
  sharp(Buffer.concat([await noise().raw().toBuffer(), await noise().negate().raw().toBuffer()]), {
    raw: { width: 61, height: 94, channels: 3, pageHeight: 47 },
  });

describe.each<[string, PictureFormat, () => Promise<Buffer>]>([
  ['a JPEG', 'jpeg', () => noise().jpeg().toBuffer()],
  ['a progressive JPEG', 'jpeg', () => noise().jpeg({ progressive: true }).toBuffer()],
  ['a JPEG with metadata', 'jpeg', () => noise().withMetadata({ orientation: 6 }).jpeg().toBuffer()],
  ['a JPEG with a thumbnail', 'jpeg', withThumbnail],
  ['a PNG', 'png', () => noise().png().toBuffer()],
  ['an interlaced PNG', 'png', () => noise().png({ progressive: true }).toBuffer()],
  ['a WebP', 'webp', () => noise().webp().toBuffer()],
  ['a lossless WebP', 'webp', () => noise().webp({ lossless: true }).toBuffer()],
  ['a WebP with metadata', 'webp', () => noise().withMetadata().webp().toBuffer()],
  ['a GIF', 'gif', () => noise().gif().toBuffer()],
])('%s', (_, format, make) => {
  it('is whole, with whatever stands behind it, and cut off wherever it stops', async () => {
    const whole = await make();
    expect(isCutOff(whole, format)).toBe(false);
    expect(isCutOff(Buffer.concat([whole, Buffer.alloc(40, 7)]), format)).toBe(false);
    // A GIF's last byte only says that no further frame comes.
    const end = whole.length - (format === 'gif' ? 1 : 0);
    const wrong = Array.from({ length: end }, (_, size) => size).filter(
      (size) => !isCutOff(whole.subarray(0, size), format),
    );
    expect(wrong).toEqual([]);
  });
});

it('asks for the first frame of an animation and no more, as only that is seen', async () => {
  const gif = await (await animation()).gif().toBuffer();
  const first = await noise().gif().toBuffer();
  expect((await sharp(gif).metadata()).pages).toBe(2);
  expect(isCutOff(gif, 'gif')).toBe(false);
  expect(isCutOff(gif.subarray(0, -200), 'gif')).toBe(false);
  expect(isCutOff(gif.subarray(0, first.length / 2), 'gif')).toBe(true);
});

it('leaves formats to the decoder whose end it does not know', () => {
  expect(isCutOff(new Uint8Array(3), 'avif')).toBe(false);
  expect(isCutOff(new Uint8Array(3), 'tiff')).toBe(false);
});

it('never throws and never hangs, whatever the bytes', () => {
  const formats = fc.constantFrom<PictureFormat>('jpeg', 'png', 'webp', 'gif', 'avif', 'tiff');
  fc.assert(
    fc.property(formats, fc.uint8Array({ maxLength: 200 }), (format, bytes) => {
      expect(isCutOff(bytes, format)).toBeTypeOf('boolean');
    }),
    { numRuns: 2000, seed: 1 },
  );
});
