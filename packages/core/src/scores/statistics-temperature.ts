/**
 * Calibration in statistics mode, where no example is left to leave out: inputs are drawn from what the sums say of each class,
 * `q = mean_k + sqrt(1 + 1 / n_k) L z`, the predictive distribution of a Gaussian with the pooled within-class covariance
 * `S = L L'`, rounded to codes, and the temperature is fitted on their scores as on leave-one-out scores.
 */

import type { FitContext, FittedHead, StatisticsMemory } from '../head.ts';
import { manyScores } from '../heads/many-scores.ts';
import { choleskyFactor } from '../linalg/cholesky.ts';
import { seededBits } from '../projection/seeded-bits.ts';
import { fitTemperature } from './calibration.ts';

/** Inputs drawn, over all classes; with many classes fewer, as calibration reads 2^18 scores at most, but no fewer than 16. */
const DRAWN = 512;
const LEAST_DRAWN = 16;
const MOST_SCORES = 2 ** 18;
/** Added to the covariance, as a share of its mean diagonal: it has no full rank before there are `width` examples. */
const JITTER = 1e-3;

/** The temperature of a head that was solved from sums; seeded, so equal sums give an equal temperature. */
export async function statisticsTemperature(
  head: FittedHead,
  statistics: StatisticsMemory,
  context: FitContext,
): Promise<number> {
  const { width, numClasses, numExamples, counts, sums } = statistics;
  // Where no class has two examples nothing is known of spread: the means themselves, of which only the prior takes the scale.
  const isSpreadKnown = numExamples > numClasses;
  const affordable = Math.min(DRAWN, Math.max(LEAST_DRAWN, Math.floor(MOST_SCORES / numClasses)));
  const numDrawn = isSpreadKnown ? affordable : Math.min(affordable, numClasses);
  const owners = Int32Array.from({ length: numDrawn }, (_, i) =>
    numDrawn < numClasses ? Math.floor((i * numClasses) / numDrawn) : i % numClasses,
  ).sort();
  const noise = isSpreadKnown ? await withinClassNoise(statistics, numDrawn, context) : undefined;
  const codes = new Int8Array(owners.length * width);
  for (const [row, k] of owners.entries()) {
    const spread = Math.sqrt(1 + 1 / counts[k]);
    for (let j = 0, i = row * width; j < width; j++, i++) {
      const value = sums[k * width + j] / counts[k] + (noise === undefined ? 0 : spread * noise[i]);
      codes[i] = Math.max(-127, Math.min(127, Math.round(value)));
    }
  }
  const scores = await manyScores(head, codes, numDrawn);
  if (!isSpreadKnown) for (const [i, k] of owners.entries()) scores[i * numClasses + k] = -Infinity;
  return fitTemperature(scores, owners, owners.length, numClasses, undefined, context);
}

/** Float64Array, numDrawn x width: rows of covariance S, unbiased in `numExamples - numClasses` degrees of freedom. */
async function withinClassNoise(
  { width, numClasses, numExamples, counts, sums, gram }: StatisticsMemory,
  numDrawn: number,
  context: FitContext,
): Promise<Float64Array> {
  const scaled = new Float64Array(numClasses * width);
  for (let i = 0; i < scaled.length; i++) scaled[i] = sums[i] / Math.sqrt(counts[Math.floor(i / width)]);
  const between = await context.gemm.f64(scaled, scaled, { m: width, n: width, k: numClasses, transposeA: true });
  const freedom = numExamples - numClasses;
  let trace = 0;
  for (let i = 0; i < between.length; i++) between[i] = (gram[i] - between[i]) / freedom;
  for (let j = 0; j < width; j++) trace += between[j * width + j];
  // At least the variance of rounding, so that equal examples have a factor too.
  const factor = await choleskyFactor(between, width, context, Math.max((JITTER * trace) / width, 1 / 12));

  const noise = new Float64Array(numDrawn * width);
  const draw = (): Promise<Float64Array> => standardNormals(DRAWN * width, context);
  const drawn = await (context.carry?.once('standard normals', String(width), draw) ?? draw());
  let start = 0;
  for (const panel of factor.panels) {
    const height = width - start;
    const columns = panel.length / height;
    const normals = drawn.subarray(numDrawn * start, numDrawn * (start + columns));
    const shape = { m: numDrawn, n: height, k: columns, transposeB: true };
    const product = await context.gemm.f64(normals, panel, shape);
    for (let i = 0; i < numDrawn; i++) {
      for (let j = 0; j < height; j++) noise[i * width + start + j] += product[i * height + j];
    }
    start += columns;
  }
  return noise;
}

/** Numbers drawn between two turns of the host: some 10 ms. */
const TURN_NORMALS = 2 ** 15;

/** Float64Array, count: about normal, by additions alone and so the same everywhere: twelve uniforms (Irwin-Hall) about zero. */
async function standardNormals(count: number, { yieldToHost }: Pick<FitContext, 'yieldToHost'>): Promise<Float64Array> {
  const normals = new Float64Array(count);
  const bits = seededBits(1);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let draws = 0; draws < 12; draws++) sum += bits() / 4294967296;
    normals[i] = sum;
    if ((i + 1) % TURN_NORMALS === 0) await yieldToHost?.();
  }
  return normals;
}
