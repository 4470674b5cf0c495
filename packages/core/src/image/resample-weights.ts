/** Fixed-point weights of an antialiased resampling along one axis: the same integers in every JavaScript engine. */

import type { Resample } from '../backbone.ts';

/** Fractional bits of a weight; see `resample.ts` for the bound that chooses it. */
export const WEIGHT_BITS = 17;

export interface ResampleWeights {
  /** First input position of each output, ascending. */
  readonly starts: Int32Array;
  /** Number of input positions of each output. */
  readonly counts: Int32Array;
  /** Float64Array of integers, outputs x `stride`, row-major: the weights in units of 2^-17, zero after the first `counts[i]`. */
  readonly weights: Float64Array;
  readonly stride: number;
}

/** Catmull-Rom, the cubic of Keys (1981) with a = -0.5, as Pillow's BICUBIC; support 2. */
function bicubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

/** Triangle, as Pillow's BILINEAR; support 1. */
function bilinear(distance: number): number {
  const x = Math.abs(distance);
  return x < 1 ? 1 - x : 0;
}

/**
 * Weights that shrink or stretch `extent` positions to `outputSize`, for the outputs `first` to `first + count - 1` only.
 *
 * When shrinking, the filter widens by the scale (antialiasing): output i looks at the inputs within `support * max(scale, 1)`
 * of `(i + 0.5) * scale`, with weights that sum to one. Source: Pillow, Resample.c, `precompute_coeffs`.
 * @param inputSize positions there are
 * @param extent positions that the outputs cover, at most `inputSize`; not whole after `shrinkBoxes`
 */
export function resampleWeights(
  inputSize: number,
  extent: number,
  outputSize: number,
  first: number,
  count: number,
  resample: Resample,
): ResampleWeights {
  const filter = resample === 'bicubic' ? bicubic : bilinear;
  const scale = extent / outputSize;
  const filterScale = Math.max(scale, 1);
  const support = (resample === 'bicubic' ? 2 : 1) * filterScale;
  const stride = Math.min(Math.ceil(support) * 2 + 1, inputSize);
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const weights = new Float64Array(count * stride);
  const inverse = 1 / filterScale;
  for (let i = 0; i < count; i++) {
    const center = (first + i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const taps = Math.min(Math.trunc(center + support + 0.5), inputSize) - start;
    const row = weights.subarray(i * stride, i * stride + taps);
    let total = 0;
    for (let t = 0; t < taps; t++) {
      row[t] = filter((t + start - center + 0.5) * inverse);
      total += row[t];
    }
    for (let t = 0; t < taps; t++) row[t] = Math.floor((row[t] / total) * 2 ** WEIGHT_BITS + 0.5);
    starts[i] = start;
    counts[i] = taps;
  }
  return { starts, counts, weights, stride };
}
