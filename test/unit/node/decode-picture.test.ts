/** Decoding real encoded pictures of every kind, good and bad. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { deflateSync, crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { DEFAULT_MAX_PIXELS } from '../../../packages/core/src/image/decoded-picture.ts';
import { decodePicture } from '../../../packages/node/src/decode-picture.ts';

const decode = (bytes: Uint8Array, maxPixels = DEFAULT_MAX_PIXELS) => decodePicture(bytes, 'test picture', maxPixels);

/** A smooth picture with a distinct colour in each corner, so that a wrong turn or channel order shows. */
function gradient(width: number, height: number, channels: 3 | 4 = 3): Buffer {
  const data = Buffer.alloc(width * height * channels, 255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const o = (y * width + x) * channels;
      data[o] = (x * 255) / Math.max(1, width - 1);
      data[o + 1] = (y * 255) / Math.max(1, height - 1);
      data[o + 2] = 64;
    }
  }
  return data;
}

const picture = (width = 24, height = 16) => sharp(gradient(width, height), { raw: { width, height, channels: 3 } });

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}

describe('formats', () => {
  it.each(['png', 'webp', 'tiff', 'gif', 'avif', 'jpeg'] as const)(
    'decodes %s to the pixels that were encoded',
    async (format) => {
      const lossless = {
        png: {},
        webp: { lossless: true },
        tiff: { compression: 'lzw' },
        gif: {},
        avif: { lossless: true },
        jpeg: { quality: 100, chromaSubsampling: '4:4:4' },
      };
      const bytes = await picture().toFormat(format, lossless[format]).toBuffer();
      const { rgb, width, height } = await decode(bytes);
      expect([width, height]).toEqual([24, 16]);
      // GIF has a palette; JPEG and AVIF round in YCbCr.
      const tolerance = { png: 0, webp: 0, tiff: 0, gif: 24, avif: 2, jpeg: 3 }[format];
      expect(largestDifference(rgb, gradient(24, 16))).toBeLessThanOrEqual(tolerance);
    },
  );

  it('decodes greyscale to three equal channels, with and without alpha', async () => {
    const grey = Buffer.from(Array.from({ length: 64 }, (_, i) => i * 4));
    const plain = await sharp(grey, { raw: { width: 8, height: 8, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect((await sharp(plain).metadata()).channels).toBe(1);
    const { rgb } = await decode(plain);
    expect([...rgb]).toEqual([...grey].flatMap((v) => [v, v, v]));

    const withAlpha = Buffer.from([...grey].flatMap((v, i) => [v, i === 0 ? 0 : 255]));
    const encoded = await sharp(withAlpha, { raw: { width: 8, height: 8, channels: 2 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect((await sharp(encoded).metadata()).channels).toBe(2);
    const flat = (await decode(encoded)).rgb;
    expect([...flat.subarray(0, 6)]).toEqual([255, 255, 255, 4, 4, 4]);
  });

  it('lays transparent pixels over white', async () => {
    const rgba = Buffer.from([200, 0, 0, 255, 200, 0, 0, 0, 200, 0, 0, 128]);
    const bytes = await sharp(rgba, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const { rgb } = await decode(bytes);
    expect([...rgb]).toEqual([200, 0, 0, 255, 255, 255, 227, 127, 127]);
  });

  it('cuts 16 bits to 8', async () => {
    const deep = new Uint16Array(gradient(8, 8)).map((v) => v * 257);
    const bytes = await sharp(deep, { raw: { width: 8, height: 8, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(bytes).metadata()).depth).toBe('ushort');
    const { rgb } = await decode(bytes);
    expect(largestDifference(rgb, gradient(8, 8))).toBe(0);
  });

  it('converts CMYK to sRGB', async () => {
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 220, g: 30, b: 30 } } })
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    const { rgb } = await decode(bytes);
    // CMYK's gamut is smaller: the red stays red, not the same red.
    expect(rgb[0]).toBeGreaterThan(190);
    expect(rgb[1]).toBeLessThan(80);
    expect(rgb[2]).toBeLessThan(80);
  });

  it('converts an embedded wide-gamut profile to sRGB', async () => {
    const red = { create: { width: 4, height: 4, channels: 3 as const, background: { r: 200, g: 100, b: 100 } } };
    const wide = await sharp(red).withIccProfile('p3').png().toBuffer();
    expect((await sharp(wide).metadata()).icc).toBeDefined();
    const { rgb } = await decode(wide);
    // sharp converted the pixels to Display P3 when it wrote them; decoding takes them back.
    expect(
      largestDifference(rgb, Buffer.from(Array.from({ length: 16 }, () => [200, 100, 100]).flat())),
    ).toBeLessThanOrEqual(2);
  });

  it.each(['gif', 'webp'] as const)('takes the first frame of an animated %s', async (format) => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 250), Buffer.alloc(8 * 8 * 3, 5)]);
    const bytes = await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
      .toFormat(format, { lossless: true })
      .toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(2);
    const { rgb, width, height } = await decode(bytes);
    expect([width, height]).toEqual([8, 8]);
    expect(rgb.every((value) => value >= 248)).toBe(true);
  });

  it('takes the first frame of an animated AVIF', async () => {
    // Pillow 11: red.save(path, save_all=True, append_images=[blue], quality=60); libvips refuses its major brand `avis`.
    const bytes = await readFile(new URL('red-then-blue.avif', import.meta.url));
    expect(bytes.toString('latin1', 8, 12)).toBe('avis');
    const { rgb, width, height } = await decode(bytes);
    expect([width, height]).toEqual([16, 8]);
    const red = Buffer.from(Array.from({ length: 16 * 8 }, () => [200, 40, 40]).flat());
    expect(largestDifference(rgb, red)).toBeLessThanOrEqual(4);
    expect(bytes.toString('latin1', 8, 12)).toBe('avis');
    expect(await decode(bytes.subarray(0, 700)).catch((error: { code: string }) => error.code)).toBe(
      'IMAGE_UNREADABLE',
    );
  });
});

describe('kinds of TIFF', () => {
  interface Kind {
    readonly bits: number;
    readonly samples?: number;
    readonly photometric?: number;
    readonly format?: number;
    readonly compression?: number;
    readonly little?: boolean;
  }

  /** A TIFF of 2 x 2 pixels, its samples all of `value`, written as the tags say. */
  function tiff(kind: Kind, write: (view: DataView, at: number, little: boolean) => void): Buffer {
    const { bits, samples = 1, photometric = 1, format, compression = 1, little = true } = kind;
    const sizeBytes = (4 * samples * bits) / 8;
    const bytes = Buffer.alloc(8 + sizeBytes + 200);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    bytes.write(little ? 'II*\0' : 'MM\0*', 'latin1');
    for (let i = 0; i < 4 * samples; i++) write(view, 8 + (i * bits) / 8, little);
    const lists = 8 + sizeBytes;
    const directory = lists + 12 * samples;
    view.setUint32(4, directory, little);
    // Values that fill more than four bytes stand elsewhere: those of three samples.
    const each = (value: number): number[] => new Array<number>(samples).fill(value);
    const entries: [tag: number, values: number[], isLong?: boolean][] = [
      [256, [2]],
      [257, [2]],
      [258, each(bits)],
      [259, [compression]],
      [262, [photometric]],
      [273, [8], true],
      [277, [samples]],
      [278, [2]],
      [279, [sizeBytes], true],
      ...(format === undefined ? [] : [[339, each(format)] as [number, number[]]]),
    ];
    view.setUint16(directory, entries.length, little);
    let list = lists;
    entries.forEach(([tag, values, isLong], i) => {
      const at = directory + 2 + 12 * i;
      view.setUint16(at, tag, little);
      view.setUint16(at + 2, isLong ? 4 : 3, little);
      view.setUint32(at + 4, values.length, little);
      if (isLong) view.setUint32(at + 8, values[0], little);
      else if (values.length <= 2) values.forEach((value, j) => view.setUint16(at + 8 + 2 * j, value, little));
      else {
        view.setUint32(at + 8, list, little);
        for (const value of values) {
          view.setUint16(list, value, little);
          list += 2;
        }
      }
    });
    return bytes;
  }

  it.each([
    ['8-bit grey', { bits: 8 }, 200],
    ['8-bit grey that says it is unsigned', { bits: 8, format: 1, little: false }, 200],
    ['8-bit grey where white is zero', { bits: 8, photometric: 0 }, 55],
    ['16-bit grey', { bits: 16 }, 200 * 257],
    ['8-bit RGB', { bits: 8, samples: 3, photometric: 2 }, 200],
    ['16-bit RGB', { bits: 16, samples: 3, photometric: 2, format: 1, little: false }, 200 * 257],
  ] as [string, Kind, number][])('decodes %s', async (_, kind, value) => {
    const bytes = tiff(kind, (view, at, little) =>
      kind.bits === 8 ? view.setUint8(at, value) : view.setUint16(at, value, little),
    );
    expect([...(await decode(bytes)).rgb]).toEqual(new Array(12).fill(200));
  });

  it('decodes 16-bit CIELab, and YCbCr in JPEG', async () => {
    // L* of 79.5 and no colour: sRGB 197.
    const lab = tiff({ bits: 16, samples: 3, photometric: 8 }, (view, at, little) =>
      view.setInt16(at, (at - 8) % 6 === 0 ? 52_100 : 0, little),
    );
    expect(largestDifference((await decode(lab)).rgb, Buffer.alloc(12, 197))).toBeLessThanOrEqual(1);
    const jpeg = await picture().tiff({ compression: 'jpeg', quality: 100 }).toBuffer();
    expect(largestDifference((await decode(jpeg)).rgb, gradient(24, 16))).toBeLessThanOrEqual(12);
  });

  it.each([
    ['32-bit floating-point samples', { bits: 32, format: 3 }],
    ['32-bit floating-point samples', { bits: 32, samples: 3, photometric: 2, format: 3, little: false }],
    ['16-bit floating-point samples', { bits: 16, format: 3 }],
    ['signed or complex 32-bit samples', { bits: 32, format: 2 }],
    ['signed or complex 16-bit samples', { bits: 16, samples: 3, photometric: 2, format: 2 }],
    ['32-bit samples', { bits: 32 }],
    ['YCbCr without JPEG compression', { bits: 8, samples: 3, photometric: 6 }],
    ['YCbCr without JPEG compression', { bits: 8, samples: 3, photometric: 6, compression: 5 }],
    ['8-bit CIELab', { bits: 8, samples: 3, photometric: 8 }],
    ['colours of kind 32803', { bits: 16, photometric: 32_803 }],
  ] as [string, Kind][])('refuses %s, which would come out wrong, and says what to do: %o', async (found, kind) => {
    const bytes = tiff(kind, (view, at) => view.setUint8(at, 60));
    await expect(decode(bytes)).rejects.toMatchObject({
      code: 'IMAGE_UNREADABLE',
      message: `Expected a TIFF of grey, RGB or CMYK of at most 16 bits for test picture, got ${found}, which is not supported. Save it as 8-bit RGB.`,
    });
  });
});

describe('EXIF orientation', () => {
  /** Where upright pixel (x, y) lies in a picture stored with each orientation; `w`, `h` are the upright sides. */
  const stored: ((x: number, y: number, w: number, h: number) => [number, number])[] = [
    (x, y) => [x, y],
    (x, y, w) => [w - 1 - x, y],
    (x, y, w, h) => [w - 1 - x, h - 1 - y],
    (x, y, _w, h) => [x, h - 1 - y],
    (x, y) => [y, x],
    (x, y, w) => [y, w - 1 - x],
    (x, y, w, h) => [h - 1 - y, w - 1 - x],
    (x, y, _w, h) => [h - 1 - y, x],
  ];

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('orientation %i gives the upright pixels', async (orientation) => {
    const [width, height] = [12, 8];
    const upright = gradient(width, height);
    const [storedWidth, storedHeight] = orientation > 4 ? [height, width] : [width, height];
    const data = Buffer.alloc(upright.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [sx, sy] = stored[orientation - 1](x, y, width, height);
        upright.copy(data, (sy * storedWidth + sx) * 3, (y * width + x) * 3, (y * width + x) * 3 + 3);
      }
    }
    const bytes = await sharp(data, { raw: { width: storedWidth, height: storedHeight, channels: 3 } })
      .withMetadata({ orientation })
      .png()
      .toBuffer();
    const decoded = await decode(bytes);
    expect([decoded.width, decoded.height]).toEqual([width, height]);
    expect(largestDifference(decoded.rgb, upright)).toBe(0);
  });
});

describe('bad pictures', () => {
  const refusal = (bytes: Uint8Array, maxPixels?: number) =>
    decode(bytes, maxPixels).then(
      () => 'decoded',
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );

  it('refuses an empty file, text named .jpg, SVG and PDF with a sentence that names the picture', async () => {
    const texts = [
      '',
      'hello, I am text',
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
      '%PDF-1.4',
    ];
    for (const text of texts) {
      const said = await refusal(Buffer.from(text));
      expect(said).toMatch(
        /^IMAGE_UNREADABLE: Expected a JPEG, PNG, WebP, AVIF, GIF or TIFF picture for test picture, got /,
      );
      expect(said).toContain(text === '' ? 'an empty file' : 'other data');
    }
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('refuses %s cut off anywhere', async (format) => {
    const bytes = await sharp(createHash('sha512').update('noise').digest().subarray(0, 48), {
      raw: { width: 4, height: 4, channels: 3 },
    })
      .resize(64, 64)
      .toFormat(format)
      .toBuffer();
    for (const share of [0.02, 0.1, 0.5, 0.9]) {
      expect(await refusal(bytes.subarray(0, Math.max(1, Math.floor(bytes.length * share))))).toMatch(
        /^IMAGE_UNREADABLE/,
      );
    }
  });

  it('refuses a PNG whose checksummed data was altered', async () => {
    const bytes = await picture(64, 64).png().toBuffer();
    bytes[bytes.length >> 1] ^= 0xff;
    expect(await refusal(bytes)).toMatch(/^IMAGE_UNREADABLE: .* a damaged PNG/);
  });

  it("gives the decoder's reason, and no brackets around none", async () => {
    const png = await picture().png().toBuffer();
    expect(await refusal(png.subarray(0, 20))).toContain(' got a damaged PNG (in its header). Leave it out');
    const flat = Buffer.from(png);
    flat.writeUInt32BE(0, 16);
    flat.writeUInt32BE(crc32(flat.subarray(12, 29)), 29);
    expect(await refusal(flat)).toContain(' got a damaged PNG (in its header). Leave it out');
    const jpeg = await picture().jpeg().toBuffer();
    expect(await refusal(jpeg.subarray(0, 100))).toMatch(/ got a damaged JPEG \(VipsJpeg: [^()]+\)\. Leave it out/);
    const avif = await picture().avif().toBuffer();
    expect(await refusal(avif.subarray(0, avif.length - 9))).toMatch(/ got a damaged AVIF \(heif: /);
  });

  it('refuses a small file whose header claims 60,000 x 60,000 pixels, from the header alone', async () => {
    const chunk = (kind: string, data: Buffer) => {
      const body = Buffer.concat([Buffer.from(kind), data]);
      const out = Buffer.alloc(body.length + 8);
      out.writeUInt32BE(data.length, 0);
      body.copy(out, 4);
      out.writeUInt32BE(crc32(body), body.length + 4);
      return out;
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(60_000, 0);
    header.writeUInt32BE(60_000, 4);
    header.set([8, 2, 0, 0, 0], 8);
    const png = Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.alloc(1000))),
      chunk('IEND', Buffer.alloc(0)),
    ]);
    const memory = process.memoryUsage().rss;
    const said = await refusal(png);
    expect(said).toBe(
      'IMAGE_TOO_LARGE: Expected at most 64 megapixels for test picture, got 60000 x 60000 (3600 megapixels). Make it smaller, or raise maxPixels.',
    );
    expect(process.memoryUsage().rss - memory).toBeLessThan(100e6);
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('holds the pixel cap for %s', async (format) => {
    const bytes = await picture(40, 30).toFormat(format).toBuffer();
    expect(await refusal(bytes, 1199)).toMatch(/^IMAGE_TOO_LARGE: .* 40 x 30/);
    expect(await refusal(bytes, 1200)).toBe('decoded');
  });

  it('decodes 1 x 1 and 20,000 x 3', async () => {
    const one = await decode(await picture(1, 1).png().toBuffer());
    expect([one.width, one.height, one.rgb.length]).toEqual([1, 1, 3]);
    const strip = await decode(await picture(20_000, 3).jpeg().toBuffer());
    expect([strip.width, strip.height]).toEqual([20_000, 3]);
  });
});

it('takes bytes and nothing else, by default up to 64 megapixels', async () => {
  for (const wrong of [
    'a.png',
    undefined,
    null,
    new URL('file:///a.png'),
    new Blob([]),
    new ArrayBuffer(8),
  ] as never[]) {
    await expect(decodePicture(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
  await expect(decodePicture(Uint8Array.of(1, 2, 3))).rejects.toThrow(/for the picture/);
  expect(await decodePicture(await picture().png().toBuffer())).toMatchObject({ width: 24, height: 16 });
});
