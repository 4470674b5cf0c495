/**
 * Unknown inputs in statistics mode, where no example is left to compare with: the cosine to the nearest class mean, against
 * what sums and the Gram matrix say that examples of that class have.
 *
 * All codes have (but for rounding) one length R. Over the examples of a class with mean m, their cosine to m averages |m| / R,
 * in sample; leaving each out, `c_k = (|sum_k|^2 - n_k R^2) / (R (n_k - 1) |sum_k|)`. Its variance along m under the pooled
 * within-class scatter S (from the Gram matrix) is `m' S m / (|m|^2 R^2)`. The strangeness is the least deviation
 * `(c_k - cos) / s_k` over classes, and the p-value its tail under Student's t with five degrees of freedom, since real
 * embeddings have heavier tails than the normal distribution.
 */

import type { FitContext, StatisticsMemory } from '../head.ts';
import { LinearScores } from '../heads/linear-scores.ts';
import { SameClassPrior } from './same-class-prior.ts';
import type { UnknownDetector } from './unknown.ts';

export async function fitStatisticsDetector(
  memory: StatisticsMemory,
  context: FitContext,
): Promise<Pick<UnknownDetector, 'detectInto'>> {
  const { width, numClasses, numExamples, counts, sums, gram } = memory;
  let trace = 0;
  for (let j = 0; j < width; j++) trace += gram[j * width + j];
  const length = Math.sqrt(trace / numExamples);

  const norms = new Float64Array(numClasses);
  for (let k = 0; k < numClasses; k++) {
    let squares = 0;
    for (let j = 0; j < width; j++) squares += sums[k * width + j] ** 2;
    norms[k] = Math.sqrt(squares);
  }
  const deviations = await deviationsAlongMeans(
    width,
    numClasses,
    numExamples,
    counts,
    sums,
    gram,
    norms,
    length,
    context,
  );
  const centres = new Float64Array(numClasses);
  let several = 0;
  let meanCentre = 0;
  for (let k = 0; k < numClasses; k++) {
    const n = counts[k];
    if (n < 2) continue;
    centres[k] = (norms[k] ** 2 - n * length * length) / (length * (n - 1) * norms[k]);
    meanCentre += centres[k];
    several++;
  }
  // A class with one example is taken to be as tight as the others; where no class has two, nothing can be called strange.
  for (let k = 0; k < numClasses; k++) if (counts[k] < 2) centres[k] = several > 0 ? meanCentre / several : -1;

  const products = await LinearScores.of({ width, numClasses, weights: sums }, context);
  const dots = new Float64Array(numClasses);
  const prior = await SameClassPrior.of(memory, context);
  return {
    detectInto(codes, numQueries, strangeness, pValues) {
      for (let query = 0; query < numQueries; query++) {
        const start = query * width;
        let squares = 0;
        for (let j = 0; j < width; j++) squares += codes[start + j] ** 2;
        const size = Math.sqrt(squares);
        products.scoresInto(codes.subarray(start, start + width), 1, dots);
        let least = Infinity;
        for (let k = 0; k < numClasses; k++) {
          // A mean of exactly zero has no direction: nothing is near it.
          const cosine = norms[k] > 0 ? dots[k] / (norms[k] * size) : 0;
          const strange = (centres[k] - cosine) / deviations[k];
          if (strange < least) least = strange;
        }
        strangeness[query] = least;
        pValues[query] = studentTail5(least);
      }
      prior?.poolInto(codes, width, numQueries, pValues);
    },
  };
}

/** Smallest deviation of a cosine, so that a class of equal examples does not turn everything else away. */
const SMALLEST_DEVIATION = 0.02;
/** Classes whose products with the scatter are formed at a time. */
const BLOCK_CLASSES = 4096;

async function deviationsAlongMeans(
  width: number,
  numClasses: number,
  numExamples: number,
  counts: Int32Array,
  sums: Float64Array,
  gram: Float64Array,
  norms: Float64Array,
  length: number,
  context: FitContext,
): Promise<Float64Array> {
  const { gemm } = context;
  // Within-class scatter is the Gram matrix less each class's own, sum_c sum_c' / n_c: width x width, however many classes.
  const scaled = new Float64Array(numClasses * width);
  for (let k = 0; k < numClasses; k++) {
    const root = Math.sqrt(counts[k]);
    for (let j = k * width; j < (k + 1) * width; j++) scaled[j] = sums[j] / root;
  }
  const scatter = await gemm.f64(scaled, scaled, { m: width, n: width, k: numClasses, transposeA: true });
  for (let i = 0; i < scatter.length; i++) scatter[i] = gram[i] - scatter[i];
  const freedom = numExamples - numClasses;
  const deviations = new Float64Array(numClasses);
  for (let first = 0; first < numClasses; first += BLOCK_CLASSES) {
    const block = sums.subarray(first * width, Math.min(numClasses, first + BLOCK_CLASSES) * width);
    const rows = block.length / width;
    const products = await gemm.f64(block, scatter, { m: rows, n: width, k: width });
    for (let r = 0; r < rows; r++) {
      let quadratic = 0;
      for (let j = r * width; j < (r + 1) * width; j++) quadratic += products[j] * block[j];
      const k = first + r;
      const variance = freedom > 0 && norms[k] > 0 ? Math.max(quadratic, 0) / (freedom * (norms[k] * length) ** 2) : 0;
      deviations[k] = Math.max(Math.sqrt(variance), SMALLEST_DEVIATION);
    }
    await context.yieldToHost?.();
  }
  return deviations;
}

/**
 * P(T > t) of Student's t with five degrees of freedom, in closed form (Abramowitz & Stegun 26.7.3).
 * @returns from 0 to 1
 */
export function studentTail5(t: number): number {
  const angle = Math.atan(t / Math.sqrt(5));
  const cosine = Math.cos(angle);
  const within = (2 / Math.PI) * (angle + Math.sin(angle) * (cosine + (2 / 3) * cosine ** 3));
  return Math.min(1, Math.max(0, (1 - within) / 2));
}
