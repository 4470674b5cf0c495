/** What every runtime's decoder gives, and how it refuses. */

import { ImprintError } from '../errors.ts';

/** 64 megapixels: 192 MB of pixels, 256 MB where a decoder needs alpha. */
export const DEFAULT_MAX_PIXELS = 64_000_000;

export interface DecodedPicture {
  /** Uint8Array, height x width x 3, row-major, sRGB; the caller owns it. */
  readonly rgb: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** IMAGE_UNREADABLE. `formats` is what the runtime reads (`JPEG or PNG`), `what` the picture's name. */
export function pictureUnreadable(formats: string, what: string, found: string, cause?: unknown): ImprintError {
  return new ImprintError(
    'IMAGE_UNREADABLE',
    `Expected a ${formats} picture for ${what}, got ${found}. Leave it out, or export it again.`,
    cause === undefined ? undefined : { cause },
  );
}

/** IMAGE_TOO_LARGE. */
export function pictureTooLarge(what: string, width: number, height: number, maxPixels: number): ImprintError {
  const megapixels = (pixels: number) => (pixels / 1e6).toFixed(pixels < 1e7 ? 1 : 0);
  return new ImprintError(
    'IMAGE_TOO_LARGE',
    `Expected at most ${megapixels(maxPixels)} megapixels for ${what}, got ${width} x ${height} (${megapixels(width * height)} megapixels). Make it smaller, or raise maxPixels.`,
  );
}
