/** Picture headers: the size of every format from its first bytes, and never an exception. */

import fc from 'fast-check';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { pictureHeader } from '../../../../packages/core/src/image/picture-header.ts';

const blank = (width: number, height: number, alpha = false) =>
  sharp({ create: { width, height, channels: alpha ? 4 : 3, background: { r: 9, g: 99, b: 199, alpha: 0.5 } } });

it('reads the size that libvips reads, in every format and variant', async () => {
  const files = {
    jpeg: [
      await blank(301, 77).jpeg().toBuffer(),
      await blank(301, 77).jpeg({ progressive: true }).withMetadata().toBuffer(),
    ],
    png: [await blank(301, 77).png().toBuffer(), await blank(301, 77, true).png({ palette: true }).toBuffer()],
    webp: [
      await blank(301, 77).webp().toBuffer(),
      await blank(301, 77).webp({ lossless: true }).toBuffer(),
      await blank(301, 77, true).webp().withMetadata().toBuffer(),
    ],
    avif: [await blank(301, 77).avif().toBuffer(), await blank(301, 77, true).avif().toBuffer()],
    gif: [await blank(301, 77).gif().toBuffer()],
    tiff: [
      await blank(301, 77).tiff().toBuffer(),
      await blank(301, 77).tiff({ bigtiff: false, compression: 'lzw' }).toBuffer(),
    ],
  };
  for (const [format, encoded] of Object.entries(files)) {
    for (const bytes of encoded) expect(pictureHeader(bytes)).toEqual({ format, width: 301, height: 77 });
  }
});

it('gives undefined for what is no picture', () => {
  for (const text of ['', 'a', 'hello', '<svg/>', '%PDF-1.4', 'RIFF....WAVE']) {
    expect(pictureHeader(new TextEncoder().encode(text))).toBeUndefined();
  }
});

it('never throws and never hangs, whatever follows a known beginning', () => {
  const beginnings = [
    [0xff, 0xd8, 0xff],
    [...'\x89PNG\r\n\x1a\n'].map((c) => c.charCodeAt(0)),
    [...'RIFF\0\0\0\0WEBP'].map((c) => c.charCodeAt(0)),
    [...'GIF89a'].map((c) => c.charCodeAt(0)),
    [0x49, 0x49, 0x2a, 0],
    [...'\0\0\0\x10ftypavif\0\0\0\0'].map((c) => c.charCodeAt(0)),
  ];
  const anyBytes = fc.tuple(
    fc.constantFrom(...beginnings),
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 80 }),
  );
  fc.assert(
    fc.property(anyBytes, ([beginning, rest]) => {
      expect(pictureHeader(Uint8Array.from([...beginning, ...rest]))).toBeDefined();
    }),
    { numRuns: 500, seed: 1 },
  );
});

it('reads a view into a larger buffer', async () => {
  const bytes = await blank(5, 6).png().toBuffer();
  const padded = new Uint8Array(bytes.length + 7);
  padded.set(bytes, 7);
  expect(pictureHeader(padded.subarray(7))).toEqual({ format: 'png', width: 5, height: 6 });
});
