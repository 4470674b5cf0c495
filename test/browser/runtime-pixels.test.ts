/** Same pixels: a file decoded in a page's worker gives the bytes that Node gives. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_MAX_PIXELS } from '../../packages/core/src/image/decoded-picture.ts';
import { decodePicture } from '../../packages/node/src/decode-picture.ts';
import { buildPage, photos, root, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage, type OpenPage } from './open-page.ts';
import { serve, type Site } from './serve.ts';

const DECODER = path.join(root, 'packages/web/src/worker/decode-picture.ts');

declare global {
  var decode: (name: string) => Promise<{ size: string; rgb: string } | { error: string }>;
}

interface Difference {
  readonly size: string;
  readonly max: number;
  readonly mean: number;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), 4 + body.length);
  return out;
}

function integers(...values: number[]): Buffer {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeUInt32BE(value, 4 * i));
  return out;
}

/** `png` with chunks after its header. */
function withChunks(png: Buffer, ...chunks: Buffer[]): Buffer {
  return Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
}

describeInBrowser('the same pixels in Node and in a page', () => {
  const files = new Map<string, Buffer>();
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;
  let open: OpenPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildPage(`
      import { decodePicture } from ${JSON.stringify(DECODER)};
      globalThis.decode = async (name) => {
        const bytes = new Uint8Array(await (await fetch('/files/' + encodeURIComponent(name))).arrayBuffer());
        try {
          const { rgb, width, height } = await decodePicture(bytes, name, ${DEFAULT_MAX_PIXELS});
          let text = '';
          for (let i = 0; i < rgb.length; i += 32768) text += String.fromCharCode(...rgb.subarray(i, i + 32768));
          return { size: width + ' x ' + height, rgb: btoa(text) };
        } catch (error) {
          return { error: error.code + ': ' + error.message };
        }
      };`);
    const body = (name: string) => {
      const file = files.get(name);
      return file && { body: file };
    };
    site = await serve({ ...built.routes, '/files': (_, url) => body(decodeURIComponent(url.pathname.slice(7))) });
    open = await openPage(browser, `${site.origin}/`);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  async function difference(name: string, file: Buffer): Promise<Difference> {
    files.set(name, file);
    const node = await decodePicture(file, name, DEFAULT_MAX_PIXELS);
    const page = await open.page.evaluate((wanted) => globalThis.decode(wanted), name);
    files.delete(name);
    if ('error' in page) throw new Error(page.error);
    const rgb = Buffer.from(page.rgb, 'base64');
    let [max, sum] = [0, 0];
    node.rgb.forEach((value, i) => {
      const apart = Math.abs(value - rgb[i]);
      sum += apart;
      if (apart > max) max = apart;
    });
    expect(page.size).toBe(`${node.width} x ${node.height}`);
    return { size: page.size, max, mean: sum / node.rgb.length };
  }

  /** Every colour with every alpha, 256 x 256. */
  const everything = Buffer.alloc(256 * 256 * 4);
  for (let i = 0, o = 0; i < 65536; i++, o += 4) {
    const [colour, alpha] = [i >> 8, i & 255];
    everything.set([colour, 255 - colour, (colour * 7 + alpha) & 255, alpha], o);
  }
  const rgba = () => sharp(everything, { raw: { width: 256, height: 256, channels: 4 } });
  const opaque = () => rgba().removeAlpha();
  const primaries = chunk('cHRM', integers(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000));

  it.each<[string, () => Promise<Buffer>]>([
    ['RGB', () => opaque().png().toBuffer()],
    ['every colour at every alpha', () => rgba().png().toBuffer()],
    ['interlaced', () => rgba().png({ progressive: true }).toBuffer()],
    ['a palette with transparency', () => rgba().png({ palette: true }).toBuffer()],
    ['grey', () => opaque().toColourspace('b-w').png().toBuffer()],
    ['grey with alpha', () => rgba().toColourspace('b-w').png().toBuffer()],
    ['16 bits', () => opaque().linear(0.7, 9.3).toColourspace('rgb16').png().toBuffer()],
    ['16 bits with alpha', () => rgba().toColourspace('rgb16').png().toBuffer()],
    ['16 bits grey', () => opaque().toColourspace('grey16').png().toBuffer()],
    ['an sRGB profile', () => opaque().withIccProfile('srgb').png().toBuffer()],
    ['EXIF orientation', () => opaque().resize(60, 40).withMetadata({ orientation: 6 }).png().toBuffer()],
    ['gamma', async () => withChunks(await opaque().png().toBuffer(), chunk('gAMA', integers(100000)))],
    [
      'gamma and primaries',
      async () => withChunks(await rgba().png().toBuffer(), primaries, chunk('gAMA', integers(45455))),
    ],
    [
      'coding points',
      async () => withChunks(await opaque().png().toBuffer(), chunk('cICP', Buffer.from([12, 13, 0, 1]))),
    ],
  ])('gives a PNG with %s byte for byte', async (name, make) => {
    expect(await difference(name, await make())).toMatchObject({ max: 0 });
  });

  const photo = () =>
    sharp({
      create: {
        width: 320,
        height: 240,
        channels: 3,
        background: '#808080',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    }).blur(2);

  it.each<[string, number, () => Promise<Buffer>]>([
    // libjpeg-turbo, libwebp and giflib are the same code in both; profiles are converted by lcms in Node, by Skia in Chromium.
    ['a JPEG', 0, () => photo().jpeg({ quality: 90 }).toBuffer()],
    ['a JPEG without subsampling', 0, () => photo().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer()],
    ['a progressive JPEG', 0, () => photo().jpeg({ progressive: true }).toBuffer()],
    ['a grey JPEG', 0, () => photo().toColourspace('b-w').jpeg().toBuffer()],
    ['a JPEG turned by EXIF', 0, () => photo().withMetadata({ orientation: 8 }).jpeg().toBuffer()],
    ['a JPEG with an sRGB profile', 0, () => photo().withIccProfile('srgb').jpeg().toBuffer()],
    ['a JPEG with a Display P3 profile', 1, () => photo().withIccProfile('p3').jpeg({ quality: 95 }).toBuffer()],
    ['a WebP', 0, () => photo().webp({ quality: 90 }).toBuffer()],
    ['a lossless WebP with alpha', 0, () => rgba().webp({ lossless: true }).toBuffer()],
    ['a GIF', 0, () => rgba().gif().toBuffer()],
    ['an AVIF', 1, () => photo().avif({ quality: 80 }).toBuffer()],
  ])('gives %s within %i', async (name, tolerance, make) => {
    expect((await difference(name, await make())).max).toBeLessThanOrEqual(tolerance);
  });

  it('says what is wrong with a file that is no picture, empty, cut off, or too large', async () => {
    const png = await opaque().png().toBuffer();
    const cases: [string, Buffer, RegExp][] = [
      ['text', Buffer.from('hello'), /^IMAGE_UNREADABLE: .* for text, got other data\./],
      ['nothing', Buffer.alloc(0), /^IMAGE_UNREADABLE: .* got an empty file\./],
      ['cut', png.subarray(0, 200), /^IMAGE_UNREADABLE: .* got a PNG that is cut off\./],
      [
        'cut photo',
        (await photo().jpeg().toBuffer()).subarray(0, -99),
        /^IMAGE_UNREADABLE: .* got a JPEG that is cut off\./,
      ],
      ['damaged', Buffer.from(png).fill(0, 60, 200), /^IMAGE_UNREADABLE: .* got a PNG that this browser cannot read\./],
      ['header', png.subarray(0, 20), /^IMAGE_UNREADABLE: /],
      [
        'bomb',
        Buffer.concat([png.subarray(0, 16), integers(50000, 50000), png.subarray(24)]),
        /^IMAGE_TOO_LARGE: .* 64 megapixels for bomb, got 50000 x 50000/,
      ],
    ];
    for (const [name, file, message] of cases) {
      files.set(name, file);
      expect(await open.page.evaluate((wanted) => globalThis.decode(wanted), name)).toEqual({
        error: expect.stringMatching(message) as string,
      });
    }
  });

  describe.skipIf(photos === undefined)('real photos', () => {
    it('differ nowhere', async () => {
      const folder = path.join(photos!, 'caltech101');
      const chosen = readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.jpg'))
        .sort()
        .filter((_, i) => i % 100 === 0)
        .slice(0, 20);
      expect(chosen.length).toBeGreaterThan(5);
      for (const [i, file] of chosen.entries()) {
        expect(await difference(`photo-${i}`, readFileSync(path.join(folder, file)))).toMatchObject({ max: 0 });
      }
    });
  });
});
