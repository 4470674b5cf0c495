/** Encoded pictures become upright sRGB pixels, with libvips (sharp), in full size: the resize is core's. */

import {
  DEFAULT_MAX_PIXELS,
  expected,
  flattenOnWhite,
  ImprintError,
  isTagged,
  pictureHeader,
  pictureTooLarge,
  pictureUnreadable,
} from '@imprint/core';
import type { DecodedPicture } from '@imprint/core';
import { loadSharp } from './native-modules.ts';
import { unsupportedTiff } from './unsupported-tiff.ts';

const unreadable = (what: string, found: string, cause?: unknown): ImprintError =>
  pictureUnreadable('JPEG, PNG, WebP, AVIF, GIF or TIFF', what, found, cause);

function refuseUnsupportedTiff(bytes: Uint8Array, what: string): void {
  const found = unsupportedTiff(bytes);
  if (found === undefined) return;
  const message = `Expected a TIFF of grey, RGB or CMYK of at most 16 bits for ${what}, got ${found}, which is not supported. Save it as 8-bit RGB.`;
  throw new ImprintError('IMAGE_UNREADABLE', message);
}

const [MAJOR_BRAND, MAJOR_BRAND_END] = [8, 12];

/** libvips looks at an AVIF's major brand alone, and does not know the animated one's (`avis`), which holds a still picture too. */
function withStillBrand(bytes: Uint8Array): Uint8Array {
  if (String.fromCharCode(...bytes.subarray(MAJOR_BRAND, MAJOR_BRAND_END)) !== 'avis') return bytes;
  const still = Uint8Array.from(bytes);
  still.set(new TextEncoder().encode('avif'), MAJOR_BRAND);
  return still;
}

const IN_HEADER = 'Input buffer has corrupt header:';

/** libvips's own word on a damaged picture in brackets, where it has one. */
function whyDamaged(message: string): string {
  const lines = message
    .replace(IN_HEADER, '')
    .split('\n')
    .map((line) => line.trim());
  const reason = lines.find((line) => line !== '' && line !== 'Unknown error' && !line.startsWith('source: bad seek'));
  if (reason !== undefined) return ` (${reason})`;
  return message.startsWith(IN_HEADER) ? ' (in its header)' : '';
}

/**
 * Decodes a picture: EXIF orientation applied, embedded colour profile converted to sRGB (CMYK too), transparency over white,
 * greyscale as three equal channels, 16 bits cut to 8, the first frame of an animation.
 *
 * JPEG's shrink-on-load is not used: it averages blocks in the decoder, so its pixels differ from a browser's.
 * @param what the picture's name in messages
 * @param maxPixels cap on width x height, checked in the header before any pixel is decoded; default 64 million
 * @throws IMAGE_UNREADABLE for other formats, truncated or damaged data, and TIFFs of more than 16 bits, floating-point, YCbCr without
 *   JPEG or 8-bit CIELab; IMAGE_TOO_LARGE above `maxPixels`; UNSUPPORTED where sharp does not load
 */
export async function decodePicture(
  bytes: Uint8Array,
  what = 'the picture',
  maxPixels = DEFAULT_MAX_PIXELS,
): Promise<DecodedPicture> {
  if (!isTagged(bytes, 'Uint8Array')) throw expected('bytes', 'a Uint8Array', bytes, 'Read the file first.');
  if (bytes.length === 0) throw unreadable(what, 'an empty file');
  const header = pictureHeader(bytes);
  if (header === undefined) throw unreadable(what, 'other data');
  const { format, width = 0, height = 0 } = header;
  if (width * height > maxPixels) throw pictureTooLarge(what, width, height, maxPixels);
  if (format === 'tiff') refuseUnsupportedTiff(bytes, what);
  const readable = format === 'avif' ? withStillBrand(bytes) : bytes;
  const sharp = await loadSharp();
  let decoded;
  try {
    // The cap stands twice: libvips reads headers that ours may not understand. `error` lets mere warnings pass
    // (a stray marker, an odd tag), which browsers show without a word, and refuses truncated data.
    decoded = await sharp(readable, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 })
      .autoOrient()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (message.includes('exceeds pixel limit')) throw pictureTooLarge(what, width, height, maxPixels);
    throw unreadable(what, `a damaged ${format.toUpperCase()}${whyDamaged(message)}`, error);
  }
  const { data, info } = decoded;
  return { rgb: toRgb(data, info.channels, info.width * info.height), width: info.width, height: info.height };
}

function toRgb(data: Uint8Array, channels: number, pixels: number): Uint8Array {
  if (channels === 3) return data;
  if (channels === 4) return flattenOnWhite(data);
  const rgba = new Uint8Array(pixels * 4);
  for (let i = 0; i < pixels; i++) {
    rgba.fill(data[i * channels], 4 * i, 4 * i + 3);
    rgba[4 * i + 3] = channels === 2 ? data[i * 2 + 1] : 255;
  }
  return flattenOnWhite(rgba);
}
