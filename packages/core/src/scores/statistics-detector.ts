/**
 * Unknown inputs in statistics mode, where no example is left to compare with: the cosine to the nearest class mean, against
 * what sums and the Gram matrix say that examples of that class have.
 *
 * All codes have (but for rounding) one length R. An example x of a class of n with sum s has `x . s` of |s|^2 / n on average, so its cosine to
 * the others is about `c_k = (|s|^2 / n - R^2) / (R |s - x|)`, `|s - x|^2 = |s|^2 (1 - 2 / n) + R^2`. Its variance along m = s / n under the pooled
 * within-class scatter S (from the Gram matrix) is `m' S m / (|m|^2 R^2)`. The strangeness is the least deviation
 * `(c_k - cos) / s_k` over classes, and the p-value that among drawn examples, each left out of its class.
 */

import type { DrawnExamples, FitContext, StatisticsMemory } from '../head.ts';
import { LinearScores } from '../heads/linear-scores.ts';
import { codeProduct } from './dot-product.ts';
import { noveltyPValuesInto, referenceOf } from './novelty-p-value.ts';
import { SameClassPrior } from './same-class-prior.ts';
import type { UnknownDetector } from './unknown.ts';

/** @param scatter what `withinClassScatter` returned; not changed */
export async function fitStatisticsDetector(
  memory: StatisticsMemory,
  scatter: Float64Array,
  drawn: DrawnExamples,
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
  const deviations = await deviationsAlongMeans(memory, scatter, norms, length, context);
  const centres = Float64Array.from(counts, (n, k) => {
    const rest = Math.sqrt(norms[k] ** 2 * Math.max(0, 1 - 2 / n) + length * length);
    return (norms[k] ** 2 / n - length * length) / (length * rest);
  });
  // A class whose examples have no direction in common vouches for nothing, unless there is no other.
  const isSeveral = (k: number): boolean => counts[k] > 1;
  const directed = Array.from(centres.keys()).filter((k) => isSeveral(k) && centres[k] > 0);
  const meanCentre = directed.reduce((sum, k) => sum + centres[k] / directed.length, 0);
  // A class with one example is taken to be as tight as the others; where no class has two, nothing can be called strange.
  for (let k = 0; k < numClasses; k++) if (!isSeveral(k)) centres[k] = directed.length > 0 ? meanCentre : -1;
  const vouches = Uint8Array.from(centres, (centre) => (directed.length === 0 || centre > 0 ? 1 : 0));

  const products = await LinearScores.of({ width, numClasses, weights: sums }, context);
  /**
   * @param dots with the sums of every class
   * @param own the class to leave it out of, or -1
   */
  const strangenessOf = (code: Int8Array, dots: Float64Array, own: number): number => {
    const squares = codeProduct(code, 0, code, 0, width);
    let least = Infinity;
    for (let k = 0; k < numClasses; k++) {
      if (vouches[k] === 0) continue;
      let [dot, norm] = [dots[k], norms[k]];
      if (k === own) {
        const f = 1 + 1 / counts[k];
        [dot, norm] = [f * dot - squares, Math.sqrt(Math.max(0, (f * norm) ** 2 - 2 * f * dot + squares))];
      }
      // A mean of exactly zero has no direction: nothing is near it.
      const cosine = norm > 0 ? dot / (norm * Math.sqrt(squares)) : 0;
      least = Math.min(least, (centres[k] - cosine) / deviations[k]);
    }
    return least;
  };
  const strange: number[] = [];
  if (numExamples > numClasses) {
    const { codes, classIndices } = drawn;
    const dots = await products.scores(codes, classIndices.length, context);
    for (const [i, k] of classIndices.entries()) {
      if (vouches[k] === 0) continue;
      const code = codes.subarray(i * width, (i + 1) * width);
      strange.push(strangenessOf(code, dots.subarray(i * numClasses, (i + 1) * numClasses), k));
      await context.yieldToHost?.();
    }
  }
  const reference = referenceOf(Float64Array.from(strange));
  const prior = await SameClassPrior.of(memory, context);
  const dots = new Float64Array(numClasses);
  return {
    detectInto(codes, numQueries, strangeness, pValues) {
      for (let query = 0; query < numQueries; query++) {
        const code = codes.subarray(query * width, (query + 1) * width);
        products.scoresInto(code, 1, dots);
        strangeness[query] = strangenessOf(code, dots, -1);
      }
      if (strange.length > 0) noveltyPValuesInto(reference, strangeness, numQueries, pValues);
      else pValues.fill(1, 0, numQueries);
      prior?.poolInto(codes, width, numQueries, pValues);
    },
  };
}

/** Smallest deviation of a cosine, so that a class of equal examples does not turn everything else away. */
const SMALLEST_DEVIATION = 0.02;
/** Classes whose products with the scatter are formed at a time. */
const BLOCK_CLASSES = 4096;

async function deviationsAlongMeans(
  { width, numClasses, numExamples, sums }: StatisticsMemory,
  scatter: Float64Array,
  norms: Float64Array,
  length: number,
  context: FitContext,
): Promise<Float64Array> {
  const freedom = numExamples - numClasses;
  const deviations = new Float64Array(numClasses);
  for (let first = 0; first < numClasses; first += BLOCK_CLASSES) {
    const block = sums.subarray(first * width, Math.min(numClasses, first + BLOCK_CLASSES) * width);
    const rows = block.length / width;
    const products = await context.gemm.f64(block, scatter, { m: rows, n: width, k: width });
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
