/**
 * The k nearest examples by cosine vote, each with `exp(cos / 0.07)`.
 * Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination (CVPR 2018), section 3.4.
 * We differ: scores are logarithms of votes, and classes without a vote have one too.
 */

import type { FittedHead, Head, Memory } from '../head.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import { codeProducts, codeProductsInto, codeSquares } from './code-products.ts';
import { leaveOneOutAccuracy, leaveOneOutRows } from './leave-one-out.ts';
import { tapGroups, tapWeights, type TapChoice } from './tap-weights.ts';

export interface NearestExamplesOptions {
  /** How many vote. Default 5. */
  readonly k?: number;
  /** Which taps, default `all`. */
  readonly taps?: TapChoice;
}

/** Of the votes: the value of Wu et al., which DINO kept. */
const TEMPERATURE = 0.07;
/** What a class without a vote loses: as if its nearest example had a thousandth of a vote. */
const PENALTY = TEMPERATURE * Math.log(1000);

/** Queries whose products with all examples are computed at a time. */
const BLOCK_ROWS = 256;

/** The head `nearest-examples`. */
export function nearestExamples(options: NearestExamplesOptions = {}): Head {
  const { k = 5, taps = 'all' } = options;
  return {
    name: 'nearest-examples',
    async fit(memory, context): Promise<FittedHead> {
      const { codes, classIndices, counts, width, numExamples, numClasses } = memory;
      const groups = tapGroups(memory.taps, memory.dim, tapWeights(memory.taps, taps));
      const squares = codeSquares(codes, numExamples, width, groups);
      const voting = { memory, k, lengths: squares.map(Math.sqrt) };
      const rows = leaveOneOutRows(memory, context);
      const leftOut = new Float64Array(rows.length * numClasses);
      for (let first = 0; first < rows.length; first += BLOCK_ROWS) {
        const block = rows.subarray(first, first + BLOCK_ROWS);
        const chosen = chosenRows(codes, width, block);
        const products = await codeProducts(chosen, block.length, codes, numExamples, width, groups, context);
        for (const [r, i] of block.entries()) {
          const own = products.subarray(r * numExamples, (r + 1) * numExamples);
          voteInto(voting, own, voting.lengths[i], leftOut, (first + r) * numClasses, i);
        }
      }
      const measured = leaveOneOutAccuracy(leftOut, rows, classIndices, counts);
      const { gemm, yieldToHost } = context;
      return {
        report: {
          head: 'nearest-examples',
          parameters: { k },
          ...(measured && { leaveOneOutAccuracy: measured.accuracy }),
          reason: `The ${k} nearest examples vote.`,
        },
        numClasses,
        leaveOneOutRows: rows,
        leaveOneOut: () => leftOut,
        scoresInto(queries, numQueries, out) {
          const products = new Float64Array(numExamples);
          const lengths = codeSquares(queries, numQueries, width, groups).map(Math.sqrt);
          for (let q = 0; q < numQueries; q++) {
            codeProductsInto(queries, q, codes, numExamples, width, groups, products);
            voteInto(voting, products, lengths[q], out, q * numClasses);
          }
        },
        async scores(queries, numQueries) {
          const out = new Float64Array(numQueries * numClasses);
          const lengths = codeSquares(queries, numQueries, width, groups).map(Math.sqrt);
          for (let first = 0; first < numQueries; first += BLOCK_ROWS) {
            const count = Math.min(BLOCK_ROWS, numQueries - first);
            const block = queries.subarray(first * width, (first + count) * width);
            const batch = { gemm, ...(yieldToHost && { yieldToHost }) };
            const products = await codeProducts(block, count, codes, numExamples, width, groups, batch);
            for (let q = 0; q < count; q++) {
              const own = products.subarray(q * numExamples, (q + 1) * numExamples);
              voteInto(voting, own, lengths[first + q], out, (first + q) * numClasses);
            }
          }
          return out;
        },
      };
    },
  };
}

interface Voting {
  readonly memory: Memory;
  readonly k: number;
  /** Float64Array, numExamples: lengths of the examples. */
  readonly lengths: Float64Array;
}

/**
 * `T log sum exp(cos / T)` over the class's examples among the k nearest. A class without one scores its nearest example's
 * cosine less a penalty: below every class that has a vote, but finite and in order.
 */
function voteInto(
  { memory, k, lengths }: Voting,
  products: Float64Array,
  length: number,
  out: Float64Array,
  at: number,
  except = -1,
): void {
  const { classIndices, numExamples, numClasses } = memory;
  out.fill(-1, at, at + numClasses);
  const nearest = new Int32Array(k);
  const cosines = new Float64Array(k);
  let found = 0;
  for (let j = 0; j < numExamples; j++) {
    if (j === except) continue;
    const scale = length * lengths[j];
    const cosine = scale > 0 ? products[j] / scale : 0;
    const own = at + classIndices[j];
    if (cosine > out[own]) out[own] = cosine;
    if (found === k && !(cosine > cosines[k - 1])) continue;
    let place = found < k ? found++ : k - 1;
    for (; place > 0 && cosine > cosines[place - 1]; place--) {
      cosines[place] = cosines[place - 1];
      nearest[place] = nearest[place - 1];
    }
    cosines[place] = cosine;
    nearest[place] = j;
  }
  const votes = new Map<number, number>();
  for (let place = 0; place < found; place++) {
    const own = at + classIndices[nearest[place]];
    votes.set(own, (votes.get(own) ?? 0) + Math.exp(cosines[place] / TEMPERATURE));
  }
  for (let c = at; c < at + numClasses; c++) {
    const sum = votes.get(c);
    out[c] = sum === undefined ? out[c] - PENALTY : TEMPERATURE * Math.log(sum);
  }
}
