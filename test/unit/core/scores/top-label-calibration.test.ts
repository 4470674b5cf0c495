/** The slope on the likeliest class's log-odds. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectedCalibrationError,
  reliabilityBins,
} from '../../../../packages/core/src/evaluation/calibration-error.ts';
import { argmax } from '../../../../packages/core/src/heads/leave-one-out.ts';
import { probabilitiesInto, trustedRows } from '../../../../packages/core/src/scores/calibration.ts';
import {
  calibratedProbabilitiesInto,
  fitCalibration,
} from '../../../../packages/core/src/scores/top-label-calibration.ts';
import { gaussian, seededRandom } from '../../../embeddings.ts';

const numClasses = 5;

/** Scores whose likeliest class is right less often at the top, and more often at the bottom, than their softmax says. */
function crooked(count: number, seed: number): { scores: Float64Array; labels: Int32Array } {
  const random = seededRandom(seed);
  const scores = Float64Array.from({ length: count * numClasses }, () => 3 * gaussian(random));
  const p = new Float64Array(numClasses);
  const labels = Int32Array.from({ length: count }, (_, i) => {
    const row = scores.subarray(i * numClasses, (i + 1) * numClasses);
    calibratedProbabilitiesInto(row, 1, numClasses, { temperature: 1, slope: 0.4, offset: 0.5 }, p);
    let u = random();
    let k = 0;
    while (k < numClasses - 1 && u >= p[k]) u -= p[k++];
    return k;
  });
  return { scores, labels };
}

function calibrationError(p: Float64Array, labels: Int32Array): number {
  const rows = Array.from(labels, (_, i) => p.subarray(i * numClasses, (i + 1) * numClasses));
  const confidences = Float64Array.from(rows, (row) => Math.max(...row));
  const right = Uint8Array.from(rows, (row, i) => (row.indexOf(confidences[i]) === labels[i] ? 1 : 0));
  return expectedCalibrationError(reliabilityBins(confidences, right)) ?? Number.NaN;
}

/** The offset by bisection, and the loss that the slope minimises, as the module's formula says. */
function naiveLoss(
  { scores, labels }: { scores: Float64Array; labels: Int32Array },
  temperature: number,
): { offsetOf: (slope: number) => number; loss: (slope: number) => number } {
  const rows = Int32Array.from(labels.keys());
  const { weights } = trustedRows(labels, labels.length, numClasses, rows);
  const p = new Float64Array(scores.length);
  probabilitiesInto(scores, labels.length, numClasses, temperature, p);
  const tops = rows.map((i) => argmax(p, i * numClasses, numClasses));
  const logOdds = Float64Array.from(tops, (top, i) => {
    const value = Math.log(p[i * numClasses + top] / (1 - p[i * numClasses + top]));
    return Math.max(-13.8, Math.min(13.8, value));
  });
  const meanAt = (slope: number, offset: number): number =>
    logOdds.reduce((sum, x, i) => sum + weights[i] / (1 + Math.exp(-slope * x - offset)), 0);
  const offsetOf = (slope: number): number => {
    let [low, high] = [-42, 42];
    while (high - low > 1e-12) {
      const middle = (low + high) / 2;
      if (meanAt(slope, middle) < meanAt(1, 0)) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  const loss = (slope: number): number => {
    const offset = offsetOf(slope);
    return logOdds.reduce(
      (sum, x, i) => {
        const z = slope * x + offset;
        return sum + weights[i] * Math.log1p(Math.exp(tops[i] === labels[i] ? -z : z));
      },
      (slope - 1) ** 2 / 0.02,
    );
  };
  return { offsetOf, loss };
}

describe('fitCalibration', () => {
  it('finds the slope that minimises the loss over all slopes, and its offset', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 15, max: 120 }),
        fc.integer(),
        fc.constantFrom(0.1, 1, 30),
        fc.boolean(),
        async (count, seed, size, unrelated) => {
          const data = crooked(count, seed);
          if (unrelated) data.labels.sort();
          const scores = data.scores.map((s) => s * size);
          const rows = Int32Array.from(data.labels.keys());
          fc.pre(trustedRows(data.labels, count, numClasses, rows).weights.some((w) => w > 0));
          const { temperature, slope, offset } = await fitCalibration(scores, data.labels, count, numClasses);
          const { loss, offsetOf } = naiveLoss({ scores, labels: data.labels }, temperature);
          expect(Math.abs(offset - offsetOf(slope))).toBeLessThan(1e-6);
          let [best, step] = [1, 1];
          // A grid that narrows about its lowest point: the bottom of a dip is seen to the root of rounding.
          for (let [low, high] = [0.3, 3]; step > 1e-7; [low, high] = [best - step, best + step]) {
            step = (high - low) / 12;
            for (let a = low; a <= high; a += step) if (loss(a) < loss(best)) best = a;
          }
          expect(Math.abs(slope - best)).toBeLessThan(1e-6);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('mends what one temperature cannot, on inputs it was not fitted to', async () => {
    const fitted = crooked(3000, 1);
    const calibration = await fitCalibration(fitted.scores, fitted.labels, 3000, numClasses);
    const fresh = crooked(6000, 2);
    const plain = new Float64Array(fresh.scores.length);
    const mended = new Float64Array(fresh.scores.length);
    probabilitiesInto(fresh.scores, 6000, numClasses, calibration.temperature, plain);
    calibratedProbabilitiesInto(fresh.scores, 6000, numClasses, calibration, mended);
    expect(calibration.slope).toBeLessThan(0.9);
    expect(calibrationError(mended, fresh.labels)).toBeLessThan(0.75 * calibrationError(plain, fresh.labels));
  });

  it('keeps the mean confidence of the temperature', async () => {
    const { scores, labels } = crooked(1000, 3);
    const calibration = await fitCalibration(scores, labels, 1000, numClasses);
    const mean = (p: Float64Array): number => {
      let sum = 0;
      for (let i = 0; i < 1000; i++) sum += Math.max(...p.subarray(i * numClasses, (i + 1) * numClasses));
      return sum / 1000;
    };
    const plain = new Float64Array(scores.length);
    const mended = new Float64Array(scores.length);
    probabilitiesInto(scores, 1000, numClasses, calibration.temperature, plain);
    calibratedProbabilitiesInto(scores, 1000, numClasses, calibration, mended);
    // Classes weigh alike in the fit and by their counts here.
    expect(mean(mended)).toBeCloseTo(mean(plain), 1);
  });

  it('leaves the slope at 1 where leave-one-out says nothing', async () => {
    const none = { slope: 1, offset: 0 };
    expect(await fitCalibration(Float64Array.of(1, 3, 3, 1), Int32Array.of(0, 1), 2, 2)).toMatchObject(none);
    expect(
      await fitCalibration(Float64Array.of(1, 3, 1, 3, 3, 1, 1, 3), Int32Array.of(0, 0, 1, 1), 4, 2),
    ).toMatchObject(none);
    expect(await fitCalibration(Float64Array.of(1, 2, 3), Int32Array.of(0, 0, 0), 3, 1)).toMatchObject(none);
    expect(await fitCalibration(new Float64Array(0), new Int32Array(0), 0, 2)).toMatchObject(none);
  });

  it('is finite for leave-one-out without a mistake, all mistakes, and impossible classes', async () => {
    const labels = Int32Array.of(0, 0, 0, 1, 1, 1);
    const right = Float64Array.of(9, 0, 9, 0, 9, 0, 0, 9, 0, 9, 0, 9);
    const impossible = right.map((s, i) => (i % 2 === 1 && i < 6 ? -Infinity : s));
    for (const scores of [right, right.map((s) => -s), impossible, right.map((s) => s * 1e200)]) {
      const { temperature, slope, offset } = await fitCalibration(scores, labels, 6, 2);
      expect([temperature, slope, offset].every(Number.isFinite)).toBe(true);
    }
  });
});

it('gives rows that sum to 1 and keep the order of classes, for any calibration', () => {
  const score = fc.oneof(fc.double({ min: -50, max: 50, noNaN: true }), fc.constant(-Infinity), fc.constant(7));
  const calibration = fc.record({
    temperature: fc.double({ min: 0.01, max: 100, noNaN: true }),
    slope: fc.double({ min: 0.3, max: 3, noNaN: true }),
    offset: fc.double({ min: -8, max: 8, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(score, { minLength: 1, maxLength: 7 }), score, calibration, (row, last, fitted) => {
      const scores = Float64Array.of(...row, last === -Infinity ? 0 : last);
      const p = new Float64Array(scores.length);
      calibratedProbabilitiesInto(scores, 1, scores.length, fitted, p);
      expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
      for (let a = 0; a < p.length; a++) {
        expect(p[a]).toBeGreaterThanOrEqual(0);
        // A hair of rounding among classes that are all but equal.
        for (let b = 0; b < p.length; b++) if (scores[a] > scores[b]) expect(p[a]).toBeGreaterThanOrEqual(p[b] - 1e-12);
      }
    }),
    { numRuns: 500 },
  );
});

it('keeps the likeliest class strictly first where its probability is held down to the second’s', () => {
  // What broke: both came out level to the last bit, and rounding chose whose label was told.
  const fitted = { temperature: 1, slope: 0.3, offset: -8 };
  fc.assert(
    fc.property(fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 2, maxLength: 9 }), (row) => {
      const scores = Float64Array.from(row);
      const top = scores.indexOf(Math.max(...scores));
      scores[top] += 1e-6;
      const p = new Float64Array(scores.length);
      calibratedProbabilitiesInto(scores, 1, scores.length, fitted, p);
      for (let k = 0; k < p.length; k++) if (k !== top) expect(p[top]).toBeGreaterThan(p[k]);
    }),
    { numRuns: 300 },
  );
});
