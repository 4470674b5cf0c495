/** What sums say of the spread within classes. */

import type { FitContext, StatisticsMemory } from '../head.ts';

/**
 * The scatter within classes, `G - sum_c s_c s_c^T / n_c`: the Gram matrix less each class's own, however many classes. A class of no
 * examples has none.
 * @returns Float64Array, width x width; the caller owns it
 */
export async function withinClassScatter(
  {
    width,
    numClasses,
    counts,
    sums,
    gram,
  }: Pick<StatisticsMemory, 'width' | 'numClasses' | 'counts' | 'sums' | 'gram'>,
  { gemm }: Pick<FitContext, 'gemm'>,
): Promise<Float64Array> {
  const scaled = new Float64Array(numClasses * width);
  for (let k = 0; k < numClasses; k++) {
    if (counts[k] === 0) continue;
    const root = Math.sqrt(counts[k]);
    for (let j = k * width; j < (k + 1) * width; j++) scaled[j] = sums[j] / root;
  }
  const scatter = await gemm.f64(scaled, scaled, { m: width, n: width, k: numClasses, transposeA: true });
  for (let i = 0; i < scatter.length; i++) scatter[i] = gram[i] - scatter[i];
  return scatter;
}
