/** Resize and crop against Pillow, the reference of the models' own preprocessing. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { resizeAndCrop } from '../../../packages/core/src/image/preprocess.ts';

interface Golden {
  pillow: string;
  cases: {
    width: number;
    height: number;
    resize: number;
    size: number;
    resample: 'bicubic' | 'bilinear';
    rgb: string;
  }[];
}

const { pillow, cases } = JSON.parse(readFileSync(new URL('./resize.json', import.meta.url), 'utf8')) as Golden;

/** The generator's picture, in the same whole numbers. */
function picture(width: number, height: number): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      rgb[o++] = x * 5 + y * 3;
      rgb[o++] = (Math.floor(x / 7) + Math.floor(y / 5)) % 2 === 0 ? 255 : 0;
      rgb[o++] = (x * x * 31 + y * y * 17 + x * y * 13) % 65521;
    }
  }
  return rgb;
}

it.each(cases)(`$width x $height to $resize, crop $size, $resample: Pillow ${pillow}'s bytes within 1`, (golden) => {
  const { width, height, rgb } = golden;
  const ours = resizeAndCrop(picture(width, height), width, height, { ...golden, mean: [0, 0, 0], std: [1, 1, 1] });
  const theirs = Buffer.from(rgb, 'base64');
  expect(ours).toHaveLength(theirs.length);
  let different = 0;
  for (let i = 0; i < ours.length; i++) {
    const difference = Math.abs(ours[i] - theirs[i]);
    expect(difference).toBeLessThanOrEqual(1);
    if (difference > 0) different++;
  }
  // 17 bits of weight against 22: a byte near a half rounds the other way. Where boxes come first (a reduction by 4 or more),
  // Pillow's truncated division makes 1 box in n come out one lower, n pixels a box.
  const boxes = Math.min(width, height) / golden.resize >= 4 || Math.max(width, height) / golden.resize >= 12;
  expect(different / ours.length).toBeLessThan(boxes ? 0.12 : 0.03);
});
