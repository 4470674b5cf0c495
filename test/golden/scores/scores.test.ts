/** Scores and evaluation against NumPy and scikit-learn: generate.py wrote golden.json. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectedCalibrationError, reliabilityBins } from '../../../packages/core/src/evaluation/calibration-error.ts';
import {
  accuracy,
  balancedAccuracy,
  confusionMatrix,
  perClassFigures,
} from '../../../packages/core/src/evaluation/confusion.ts';
import { forgettingFigures } from '../../../packages/core/src/evaluation/forgetting.ts';
import { auroc, fpr95 } from '../../../packages/core/src/evaluation/unknown-detection.ts';
import { typedArrayGemm as gemm } from '../../../packages/core/src/linalg/typed-array-gemm.ts';
import { noveltyScores } from '../../../packages/core/src/scores/novelty-scores.ts';
import { addressInto } from '../../../packages/core/src/scores/novelty/memory-addressing.ts';
import { memoryOfCodes } from '../../unit/core/scores/memory-of-codes.ts';

const golden = JSON.parse(readFileSync(new URL('golden.json', import.meta.url), 'utf8'));

describe('against scikit-learn', () => {
  it('auroc and fpr95, half of the pairs tied', () => {
    const { known, unknown, auroc: area, fpr95: rate } = golden.detection;
    expect(auroc(Float64Array.from(known), Float64Array.from(unknown))).toBeCloseTo(area, 12);
    expect(fpr95(Float64Array.from(known), Float64Array.from(unknown))).toBeCloseTo(rate, 12);
  });

  it('confusion, accuracies, precision, recall and F1', () => {
    const { trueIndices, predictedIndices, ...figures } = golden.confusion;
    const confusion = confusionMatrix(Int32Array.from(trueIndices), Int32Array.from(predictedIndices), 6);
    expect([...confusion]).toEqual(figures.confusion);
    expect(accuracy(confusion, 6)).toBeCloseTo(figures.accuracy, 12);
    expect(balancedAccuracy(confusion, 6)).toBeCloseTo(figures.balancedAccuracy, 12);
    perClassFigures(confusion, 6).forEach((row, k) => {
      // scikit-learn puts 0 where nothing was there to divide by; here that is null.
      expect(row.precision ?? 0).toBeCloseTo(figures.precision[k], 12);
      expect(row.recall ?? 0).toBeCloseTo(figures.recall[k], 12);
      expect(row.f1 ?? 0).toBeCloseTo(figures.f1[k], 12);
    });
  });

  it('expected calibration error', () => {
    const { confidences, correct, expectedCalibrationError: error } = golden.calibration;
    const bins = reliabilityBins(Float64Array.from(confidences), Uint8Array.from(correct));
    expect(expectedCalibrationError(bins)).toBeCloseTo(error, 12);
  });

  it('forgetting, transfer and incremental accuracy', () => {
    const { accuracies, chance, ...figures } = golden.forgetting;
    const ours = forgettingFigures(Float64Array.from(accuracies), Float64Array.from(chance));
    for (const [name, value] of Object.entries(ours)) expect(value).toBeCloseTo(figures[name], 12);
  });
});

it.each(
  (golden.addressing.cases as { temperature: number; threshold: number }[]).map(
    (c, i) => [c.temperature, c.threshold, i] as const,
  ),
)("MemAE's addressing at temperature %d and threshold %d", (temperature, threshold, index) => {
  const similarities = Float64Array.from(golden.addressing.similarities);
  const weights = new Float64Array(similarities.length);
  const active = addressInto(similarities, weights.length, temperature, threshold, weights);
  const reference: number[] = golden.addressing.cases[index].weights;
  // A weight within 1e-12 of the threshold counts as none here, as equation 7's epsilon all but makes it in NumPy.
  weights.forEach((w, k) => expect(w).toBeCloseTo(reference[k], 9));
  expect(active).toBe(reference.filter((w) => w > 0).length);
});

describe('novelty scores against their equations in NumPy', () => {
  const { dim, codes, classIndices, queries, strangeness } = golden.novelty;
  const memory = memoryOfCodes(Int8Array.from(codes), classIndices, 1, dim);

  it.each(noveltyScores.map((score) => [score.name, score] as const))('%s', async (name, score) => {
    const out = new Float64Array(strangeness[name].length);
    (await score.fit(memory, { gemm })).strangenessInto(Int8Array.from(queries), out.length, out);
    // An explicit inverse there, a Cholesky factor here: nine digits of numbers up to a hundred.
    out.forEach((value, i) => expect(value).toBeCloseTo(strangeness[name][i], 8));
  });
});
