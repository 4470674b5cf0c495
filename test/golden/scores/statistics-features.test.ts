/** Statistics mode on real embeddings: confidence and novelty mean what they say; skipped where the shared features are not at hand. */

import { describe, expect, it } from 'vitest';
import { expectedCalibrationError, reliabilityBins } from '../../../packages/core/src/evaluation/calibration-error.ts';
import { Classifier, readyEmbeddings, type ReadyEmbedding } from '../../../packages/core/src/index.ts';
import { missing, readFeatures } from './shared-features.ts';

/** Learns the first splits of so many shots, and asks about at most 600 test rows of each. */
async function answers(name: string, shots: number) {
  const { taps, dim, labels, values, splits } = readFeatures(name);
  const embeddingOf = (row: number): ReadyEmbedding => ({
    embedding: values.subarray(row * taps * dim, (row + 1) * taps * dim),
    id: String(row),
  });
  const backbone = readyEmbeddings({ name, dim, taps: Array.from({ length: taps }, (_, tap) => `tap ${tap}`) });
  const confidences: number[] = [];
  const correct: number[] = [];
  const novelties: number[] = [];
  for (const { train, test } of splits.filter((split) => split.shots === shots).slice(0, 3)) {
    const classifier = new Classifier(backbone, { memory: 'statistics' });
    for (const label of new Set(train.map((row) => String(labels[row])))) {
      await classifier.addClass(label, train.filter((row) => String(labels[row]) === label).map(embeddingOf));
    }
    const rows = test.slice(0, 600);
    for await (const result of classifier.classifyMany(rows.map(embeddingOf))) {
      if ('error' in result) throw result.error;
      const { confidence, ranking, novelty } = result.prediction;
      confidences.push(confidence);
      correct.push(ranking[0].label === String(labels[rows[result.index]]) ? 1 : 0);
      novelties.push(novelty);
    }
  }
  const error = expectedCalibrationError(reliabilityBins(Float64Array.from(confidences), Uint8Array.from(correct)));
  return { error, refused: novelties.filter((novelty) => novelty < 0.03).length / novelties.length };
}

describe.skipIf(missing !== '')(`statistics mode on DeiT-Tiny embeddings${missing}`, () => {
  // Measured: .067, .064, .099, .047, and at most 7 % refused; with normal draws scored by the fitted head itself .244, .128, .138, .018 and 8 %.
  it.each([
    ['pacs.taps', 5, 0.1],
    ['pacs.taps', 20, 0.09],
    ['clothing_small.taps', 5, 0.13],
    ['caltech101.cls_token', 20, 0.06],
  ])('is calibrated on %s at %d examples a class to %d, and refuses few known inputs', async (name, shots, most) => {
    const { error, refused } = await answers(name, shots);
    expect(error).not.toBeNull();
    expect(error).toBeLessThan(most);
    expect(refused).toBeLessThan(0.09);
  });
});
