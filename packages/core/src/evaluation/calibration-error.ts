/**
 * Does 80 % mean 80 %: reliability bins and the expected calibration error.
 * Naeini, Cooper, Hauskrecht 2015 (Obtaining Well Calibrated Probabilities Using Bayesian Binning); Guo et al. 2017
 * (On Calibration of Modern Neural Networks), equation 3; equal-mass bins as in Nguyen & O'Connor 2015.
 */

import { expected } from '../errors.ts';

/** Equal-width bins cut 0..1 evenly; equal-mass bins hold equally many inputs, ties kept together. */
export type BinKind = 'width' | 'mass';

export interface ReliabilityBin {
  /** Lowest confidence of the bin. */
  readonly from: number;
  /** Highest confidence of the bin. */
  readonly to: number;
  readonly count: number;
  /** Mean confidence of the inputs in the bin; null when empty. */
  readonly confidence: number | null;
  /** Share of them that were right; null when empty. */
  readonly accuracy: number | null;
}

/**
 * Groups inputs by confidence.
 * @param confidences Float64Array, n, each from 0 to 1
 * @param correct Uint8Array, n, 1 where the prediction was right
 * @throws INVALID_ARGUMENT for lengths that differ, a confidence outside 0..1, or a number of bins below 1
 */
export function reliabilityBins(
  confidences: Float64Array,
  correct: Uint8Array,
  numBins = 15,
  kind: BinKind = 'width',
): ReliabilityBin[] {
  if (correct.length !== confidences.length) throw expected('correct', `${confidences.length} flags`, correct);
  if (!Number.isInteger(numBins) || numBins < 1) throw expected('numBins', 'a positive integer', numBins);
  for (let i = 0; i < confidences.length; i++) {
    if (!(confidences[i] >= 0 && confidences[i] <= 1)) {
      throw expected(`confidences[${i}]`, 'a probability from 0 to 1', confidences[i]);
    }
  }
  return kind === 'width' ? equalWidth(confidences, correct, numBins) : equalMass(confidences, correct, numBins);
}

function equalWidth(confidences: Float64Array, correct: Uint8Array, numBins: number): ReliabilityBin[] {
  const count = new Float64Array(numBins);
  const sum = new Float64Array(numBins);
  const right = new Float64Array(numBins);
  for (let i = 0; i < confidences.length; i++) {
    // Bins are (from, to], as in Guo et al.; 0 itself belongs to the first.
    const bin = Math.max(0, Math.ceil(confidences[i] * numBins) - 1);
    count[bin]++;
    sum[bin] += confidences[i];
    right[bin] += correct[i];
  }
  return Array.from(count, (n, b) => ({
    from: b / numBins,
    to: (b + 1) / numBins,
    count: n,
    confidence: n > 0 ? sum[b] / n : null,
    accuracy: n > 0 ? right[b] / n : null,
  }));
}

function equalMass(confidences: Float64Array, correct: Uint8Array, numBins: number): ReliabilityBin[] {
  const n = confidences.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => confidences[a] - confidences[b]);
  const bins: ReliabilityBin[] = [];
  let start = 0;
  for (let b = 0; b < numBins && start < n; b++) {
    let end = Math.max(start + 1, Math.round(((b + 1) * n) / numBins));
    while (end < n && confidences[order[end]] === confidences[order[end - 1]]) end++;
    let sum = 0;
    let right = 0;
    for (let i = start; i < end; i++) {
      sum += confidences[order[i]];
      right += correct[order[i]];
    }
    const count = end - start;
    const from = confidences[order[start]];
    bins.push({ from, to: confidences[order[end - 1]], count, confidence: sum / count, accuracy: right / count });
    start = end;
  }
  return bins;
}

/** Mean distance between confidence and accuracy, weighted by the bins' counts, from 0 to 1; null without inputs. */
export function expectedCalibrationError(bins: readonly ReliabilityBin[]): number | null {
  let total = 0;
  let error = 0;
  for (const { count, confidence, accuracy } of bins) {
    if (confidence === null || accuracy === null) continue;
    total += count;
    error += count * Math.abs(confidence - accuracy);
  }
  return total > 0 ? error / total : null;
}
