/** What a person should look at again among the learned examples: likely wrong labels, outliers, near duplicates. */

import type { FitContext, FittedHead, Memory } from '../head.ts';
import { codeProduct, cosine } from './dot-product.ts';
import { firstTapCosines, firstTapsOf } from './first-tap-cosines.ts';
import type { FittedNovelty } from './novelty.ts';
import { calibratedProbabilitiesInto, type Calibration } from './top-label-calibration.ts';

export interface SuspectLabel {
  /** Row of the example in the memory. */
  readonly row: number;
  /** The class that the examples without it take it for. */
  readonly suggestedClass: number;
  /** Calibrated probability of the suggested class less that of its own, from 0 to 1. */
  readonly margin: number;
}

export interface Outlier {
  readonly row: number;
  /** Leave-one-out strangeness. */
  readonly strangeness: number;
  /** Modified z-score of it, at least 3.5. */
  readonly deviations: number;
}

export interface DuplicatePair {
  /** Rows of the two, the lower first. */
  readonly rows: readonly [number, number];
  /** Cosine over all taps, at least 0.99. */
  readonly similarity: number;
}

/** Each list the most suspicious first. */
export interface Review {
  readonly suspectLabels: readonly SuspectLabel[];
  readonly outliers: readonly Outlier[];
  readonly duplicates: readonly DuplicatePair[];
}

/** Cosine from which two examples count as the same picture, twice. */
const NEAR_DUPLICATE = 0.99;
/** The usual cut for modified z-scores (Iglewicz & Hoaglin 1993, page 11). */
const OUTLIER_DEVIATIONS = 3.5;
/** Rows of a block of cosines or of leave-one-out, between two turns of the host's event loop. */
const BLOCK_ROWS = 256;

/**
 * Reviews the memory by leave-one-out.
 * @param calibration what `fitCalibration` returned for `head`
 * @param most longest list to return, a positive integer
 */
export async function review(
  memory: Memory,
  head: FittedHead,
  calibration: Calibration,
  novelty: FittedNovelty,
  context: FitContext,
  most = 100,
): Promise<Review> {
  return {
    suspectLabels: suspectLabels(memory, head, calibration).slice(0, most),
    outliers: (await outliers(memory, novelty, context)).slice(0, most),
    duplicates: (await duplicates(memory, context)).slice(0, most),
  };
}

/**
 * Confident learning (Northcutt, Jiang, Chuang 2021, equation 2) on leave-one-out scores, calibrated as answers are: an example is suspect
 * when the likeliest class j is not its own and is at least as likely as for j's own examples on average; ranked by
 * margin. The only example of a class is never suspect: without it the class is not there to be found.
 */
function suspectLabels(memory: Memory, head: FittedHead, calibration: Calibration): SuspectLabel[] {
  const { numClasses, numExamples, classIndices, counts } = memory;
  const rows = head.leaveOneOutRows ?? Int32Array.from({ length: numExamples }, (_, i) => i);
  const probabilities = head.leaveOneOut().slice();
  calibratedProbabilitiesInto(probabilities, rows.length, numClasses, calibration, probabilities);
  const selfConfidence = new Float64Array(numClasses);
  const seen = new Int32Array(numClasses);
  for (let r = 0; r < rows.length; r++) {
    const own = classIndices[rows[r]];
    selfConfidence[own] += probabilities[r * numClasses + own];
    seen[own]++;
  }
  const suspects: SuspectLabel[] = [];
  for (let r = 0; r < rows.length; r++) {
    const own = classIndices[rows[r]];
    if (counts[own] < 2) continue;
    const at = r * numClasses;
    let best = own;
    for (let k = 0; k < numClasses; k++) if (probabilities[at + k] > probabilities[at + best]) best = k;
    if (best === own || probabilities[at + best] * seen[best] < selfConfidence[best]) continue;
    suspects.push({ row: rows[r], suggestedClass: best, margin: probabilities[at + best] - probabilities[at + own] });
  }
  return suspects.sort((a, b) => b.margin - a.margin || a.row - b.row);
}

/**
 * Examples whose leave-one-out strangeness lies far above the others' by the modified z-score `(s - median) / (1.4826
 * MAD)`. Examples alone in their class are left out: they are strange to every other class by nature.
 */
async function outliers(memory: Memory, novelty: FittedNovelty, context: FitContext): Promise<Outlier[]> {
  const { numExamples, classIndices, counts } = memory;
  const rows = Int32Array.from({ length: numExamples }, (_, i) => i).filter((i) => counts[classIndices[i]] > 1);
  const strangeness = new Float64Array(rows.length);
  for (let start = 0; start < rows.length; start += BLOCK_ROWS) {
    context.signal?.throwIfAborted();
    const block = rows.subarray(start, start + BLOCK_ROWS);
    strangeness.set((await novelty.leaveOneOutMany?.(block, context)) ?? novelty.leaveOneOut(block), start);
    await context.yieldToHost?.();
  }
  const centre = median(strangeness);
  const spread = 1.4826 * median(strangeness.map((s) => Math.abs(s - centre)));
  if (!(spread > 0)) return [];
  const found: Outlier[] = [];
  for (let r = 0; r < rows.length; r++) {
    const deviations = (strangeness[r] - centre) / spread;
    if (deviations >= OUTLIER_DEVIATIONS) found.push({ row: rows[r], strangeness: strangeness[r], deviations });
  }
  return found.sort((a, b) => b.deviations - a.deviations || a.row - b.row);
}

/** Pairs of examples that are nearly the same: cosine at least 0.99 in the first tap and over all taps. */
async function duplicates(memory: Memory, context: FitContext): Promise<DuplicatePair[]> {
  const { numExamples, width, dim, codes } = memory;
  const taps = firstTapsOf(codes, numExamples, width, dim);
  const found: DuplicatePair[] = [];
  for (let start = 0; start < numExamples; start += BLOCK_ROWS) {
    const end = Math.min(numExamples, start + BLOCK_ROWS);
    const cosines = await firstTapCosines(taps, start, end, taps, context);
    for (let i = start; i < end; i++) {
      for (let j = i + 1; j < numExamples; j++) {
        if (cosines[(i - start) * numExamples + j] < NEAR_DUPLICATE) continue;
        const similarity = codeCosine(codes, i * width, j * width, width);
        if (similarity >= NEAR_DUPLICATE) found.push({ rows: [i, j], similarity });
      }
    }
  }
  return found.sort((a, b) => b.similarity - a.similarity || a.rows[0] - b.rows[0] || a.rows[1] - b.rows[1]);
}

function codeCosine(codes: Int8Array, a: number, b: number, width: number): number {
  const product = codeProduct(codes, a, codes, b, width);
  return cosine(product, codeProduct(codes, a, codes, a, width), codeProduct(codes, b, codes, b, width));
}

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const n = sorted.length;
  return n === 0 ? 0 : (sorted[n >> 1] + sorted[(n - 1) >> 1]) / 2;
}
