/** Pictures become upright sRGB pixels in the worker, in full size: the resize is core's. */

import {
  flattenOnWhite,
  ImprintError,
  isCutOff,
  pictureHeader,
  pictureTooLarge,
  pictureUnreadable,
} from '@imprint/core';
import type { DecodedPicture } from '@imprint/core';
import { plainPng } from './plain-png.ts';

const unreadable = (what: string, found: string, cause?: unknown): ImprintError =>
  pictureUnreadable('JPEG, PNG, WebP, AVIF or GIF', what, found, cause);

/**
 * Decodes a file: EXIF orientation applied, embedded colour profile converted to sRGB, transparency over white, 16 bits cut to 8,
 * the first frame of an animation.
 *
 * Measured in Chromium against Node: PNG, GIF, WebP and JPEG give the same bytes; with a colour profile, and as AVIF, they
 * differ by at most 1; CMYK differs. The canvas multiplies colours by alpha, and laying them over white undoes exactly that.
 * Firefox and WebKit give JPEG, GIF and opaque WebP byte for byte as well; transparent colours may differ by 1 there.
 * @param what the picture's name in messages
 * @throws IMAGE_UNREADABLE for other formats and damaged data; IMAGE_TOO_LARGE above `maxPixels`, before any pixel is decoded
 */
export async function decodePicture(
  bytes: Uint8Array<ArrayBuffer>,
  what: string,
  maxPixels: number,
): Promise<DecodedPicture> {
  if (bytes.length === 0) throw unreadable(what, 'an empty file');
  const header = pictureHeader(bytes);
  if (header === undefined) throw unreadable(what, 'other data');
  const { format, width = 0, height = 0 } = header;
  if (width * height > maxPixels) throw pictureTooLarge(what, width, height, maxPixels);
  // Firefox shows what is there of such a file, and Safari a white picture; Chromium and Node refuse it.
  if (isCutOff(bytes, format)) throw unreadable(what, `a ${format.toUpperCase()} that is cut off`);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(
      new Blob(format === 'png' ? plainPng(bytes) : [bytes], { type: `image/${format}` }),
      {
        // To sRGB, as Node does; 'none' would show a phone's wide-gamut photo in other colours.
        colorSpaceConversion: 'default',
        premultiplyAlpha: 'none',
        imageOrientation: 'from-image',
      },
    );
  } catch (cause) {
    throw unreadable(what, `a ${format.toUpperCase()} that this browser cannot read`, cause);
  }
  return readPixels(bitmap, bitmap.width, bitmap.height);
}

/** The pixels of a bitmap or a frame, which is closed. */
export function readPixels(image: ImageBitmap | VideoFrame, width: number, height: number): DecodedPicture {
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });
    if (context === null)
      throw new ImprintError('UNSUPPORTED', 'Expected a 2D canvas in a worker, got none. Use a newer browser.');
    context.drawImage(image, 0, 0);
    return { rgb: flattenOnWhite(context.getImageData(0, 0, width, height).data), width, height };
  } finally {
    image.close();
  }
}
