/**
 * What a backbone is known to see alike, for p-values while examples are few: of n examples, leave-one-out p-values cannot be less than
 * about 1 / n, and an only example has no other to be compared with.
 *
 *     p = max_k  q_k^a_k p_loo^(1 - a_k),     a_k = EXAMPLES / (EXAMPLES + e_k),
 *     e_k = sum over classes j of two examples or more of  n_j min(1, (n_k - 1) / (n_j - 1))
 *
 * q_k is the share of a class's pictures whose cosine to the mean of n_k others is as small as the query's to class k, measured on other
 * classes (`SameClassCosines`); e_k says how many examples were left out of a class like k. Logarithmic opinion pools: Genest & Zidek
 * 1986 (Combining probability distributions), section 3.
 *
 * imprint-tiny at `unknownBelow` .03: known photos refused / textures caught / photos of another set caught, in percent, over 2 to 20
 * classes. "New": one class of a single example beside others of 20, where only its own photos count as known.
 *
 *     |     | Caltech-101, without | with         | clothing, without | with         | PACS, without | with         |
 *     |-----|----------------------|--------------|-------------------|--------------|---------------|--------------|
 *     | 1   |  0 /  9 /  5         |  2 / 50 / 49 |  7 / 34 / 41      |  1 / 41 / 62 | 11 / 23 / 17  | 15 / 59 / 44 |
 *     | 2   |  5 / 65 / 53         |  4 / 71 / 60 |  4 / 64 / 78      |  3 / 68 / 85 |  7 / 32 / 19  | 10 / 46 / 32 |
 *     | 3   |  3 / 58 / 53         |  3 / 77 / 73 |  5 / 74 / 85      |  4 / 77 / 88 |  6 / 28 / 15  |  8 / 46 / 27 |
 *     | 5   |  2 / 77 / 73         |  2 / 84 / 81 |  2 / 70 / 83      |  2 / 75 / 89 |  1 / 33 / 15  |  2 / 46 / 25 |
 *     | 10  |  3 / 94 / 92         |  3 / 94 / 92 |  3 / 84 / 93      |  3 / 84 / 93 |  2 / 55 / 27  |  3 / 62 / 32 |
 *     | new | 34 / 97 / 93         |  2 / 88 / 82 |  6 / 89 / 94      |  1 / 72 / 81 |  9 / 71 / 43  |  8 / 68 / 39 |
 */

import type { FitContext, Memory, StatisticsMemory } from '../head.ts';
import { LinearScores } from '../heads/linear-scores.ts';
import { codeProduct, dotProduct } from './dot-product.ts';

/** Examples that the backbone's prior counts for. */
const EXAMPLES = 5;
/** Below this exponent a class goes by its own examples alone. */
const LEAST_EXPONENT = 0.05;

type Classes = Pick<Memory | StatisticsMemory, 'dim' | 'width' | 'counts' | 'sums'>;

/** Classes of one number of examples. */
interface Tier {
  readonly exponent: number;
  readonly cosines: readonly number[];
  /** Where they begin among the means. */
  readonly first: number;
  readonly end: number;
}

export class SameClassPrior {
  readonly #shares: readonly number[];
  readonly #tiers: readonly Tier[];
  /** Whether some classes go by their own examples alone. */
  readonly #mature: boolean;
  readonly #means: LinearScores;
  readonly #dots: Float64Array;
  readonly #dim: number;

  private constructor(
    shares: readonly number[],
    tiers: readonly Tier[],
    dim: number,
    means: LinearScores,
    mature: boolean,
  ) {
    this.#shares = shares;
    this.#tiers = tiers;
    this.#dim = dim;
    this.#means = means;
    this.#dots = new Float64Array(means.numClasses);
    this.#mature = mature;
  }

  /** @returns undefined where the backbone says nothing, or every class has examples enough */
  static async of(classes: Classes, context: FitContext): Promise<SameClassPrior | undefined> {
    const { sameClass } = context;
    if (sameClass === undefined) return undefined;
    const { dim, width, counts, sums } = classes;
    const byCount = new Map<number, number[]>();
    counts.forEach((count, k) => {
      const found = byCount.get(count);
      if (found) found.push(k);
      else byCount.set(count, [k]);
    });
    const tiers: Tier[] = [];
    const chosen: number[] = [];
    for (const count of [...byCount.keys()].sort((a, b) => a - b)) {
      const exponent = EXAMPLES / (EXAMPLES + evidence(count, byCount));
      if (exponent < LEAST_EXPONENT) continue;
      const cosines = sameClass.byExamples.findLast(({ examples }) => examples <= count)!.cosines;
      const first = chosen.length;
      for (const k of byCount.get(count)!) chosen.push(k);
      tiers.push({ exponent, cosines, first, end: chosen.length });
    }
    if (tiers.length === 0) return undefined;
    const weights = new Float64Array(chosen.length * dim);
    chosen.forEach((k, at) => {
      const squares = dotProduct(sums, k * width, sums, k * width, dim);
      // A mean of exactly zero has no direction: nothing is near it.
      const factor = squares > 0 ? 1 / Math.sqrt(squares) : 0;
      for (let j = 0; j < dim; j++) weights[at * dim + j] = sums[k * width + j] * factor;
    });
    const means = await LinearScores.of({ width: dim, numClasses: chosen.length, weights }, context);
    return new SameClassPrior(sameClass.shares, tiers, dim, means, chosen.length < counts.length);
  }

  /**
   * Makes leave-one-out p-values of queries those above.
   * @param codes Int8Array, numQueries x width, row-major, first tap first
   * @param pValues Float64Array, numQueries, from 0 to 1
   */
  poolInto(codes: Int8Array, width: number, numQueries: number, pValues: Float64Array): void {
    for (let i = 0; i < numQueries; i++) {
      pValues[i] = this.#pooled(codes.subarray(i * width, i * width + this.#dim), pValues[i]);
    }
  }

  #pooled(query: Int8Array, leaveOneOut: number): number {
    const length = Math.sqrt(codeProduct(query, 0, query, 0, query.length));
    this.#means.scoresInto(query, 1, this.#dots);
    let most = this.#mature ? leaveOneOut : 0;
    for (const { exponent, cosines, first, end } of this.#tiers) {
      let nearest = -Infinity;
      for (let c = first; c < end; c++) nearest = Math.max(nearest, this.#dots[c]);
      const share = shareBelow(nearest / length, this.#shares, cosines);
      most = Math.max(most, share ** exponent * leaveOneOut ** (1 - exponent));
    }
    return most;
  }
}

/** Examples left out of classes like one of `count`: e_k above. */
function evidence(count: number, byCount: ReadonlyMap<number, readonly number[]>): number {
  let sum = 0;
  for (const [other, classes] of byCount) {
    if (other > 1) sum += classes.length * other * Math.min(1, (count - 1) / (other - 1));
  }
  return sum;
}

/** The share of pictures with a cosine below this one: between two quantiles on a line, beyond the smallest an exponential tail. */
function shareBelow(cosine: number, shares: readonly number[], quantiles: readonly number[]): number {
  const above = quantiles.findIndex((quantile) => cosine < quantile);
  if (above < 0) return 1;
  if (above === 0) {
    const slope = Math.log(shares[1] / shares[0]) / Math.max(quantiles[1] - quantiles[0], 1e-3);
    return shares[0] * Math.exp(slope * (cosine - quantiles[0]));
  }
  const part = (cosine - quantiles[above - 1]) / (quantiles[above] - quantiles[above - 1]);
  return shares[above - 1] + part * (shares[above] - shares[above - 1]);
}
