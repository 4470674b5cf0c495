/** Transparent pictures lie on white paper: the one rule for alpha, in integers, the same in every runtime. */

/**
 * Composites RGBA pixels over white: `round((colour * alpha + 255 * (255 - alpha)) / 255)`.
 * @param rgba Uint8Array, pixels x 4, alpha not premultiplied; not changed
 * @returns Uint8Array, pixels x 3; the caller owns it
 */
export function flattenOnWhite(rgba: Uint8Array | Uint8ClampedArray): Uint8Array<ArrayBuffer> {
  const pixels = rgba.length >> 2;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0, p = 0, o = 0; i < pixels; i++, p += 4, o += 3) {
    const alpha = rgba[p + 3];
    if (alpha === 255) {
      rgb[o] = rgba[p];
      rgb[o + 1] = rgba[p + 1];
      rgb[o + 2] = rgba[p + 2];
    } else {
      // 127 is half of 255: the division truncates, so this rounds to nearest, and 255 being odd there are no ties.
      const white = 255 * (255 - alpha) + 127;
      rgb[o] = ((rgba[p] * alpha + white) / 255) | 0;
      rgb[o + 1] = ((rgba[p + 1] * alpha + white) / 255) | 0;
      rgb[o + 2] = ((rgba[p + 2] * alpha + white) / 255) | 0;
    }
  }
  return rgb;
}
