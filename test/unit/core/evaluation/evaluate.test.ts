/** The report card of a classifier, on predictions small enough to count by hand. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectedCalibrationError,
  reliabilityBins,
} from '../../../../packages/core/src/evaluation/calibration-error.ts';
import { confusionMatrix } from '../../../../packages/core/src/evaluation/confusion.ts';
import { evaluatePredictions, type EvaluationInput } from '../../../../packages/core/src/evaluation/evaluate.ts';
import { auroc, fpr95, strangenessHistogram } from '../../../../packages/core/src/evaluation/unknown-detection.ts';

const input: EvaluationInput = {
  labels: ['cat', 'dog', 'owl'],
  trueIndices: Int32Array.of(0, 0, 0, 1, 1, -1, -1),
  predictedIndices: Int32Array.of(0, 0, 1, 1, 1, 2, 0),
  confidences: Float64Array.of(0.9, 0.8, 0.6, 1, 0.7, 0.5, 0.9),
  known: Uint8Array.of(1, 0, 1, 1, 1, 0, 1),
  strangeness: Float64Array.of(0.1, 0.5, 0.2, 0.1, 0.3, 0.9, 0.3),
};

describe('evaluatePredictions', () => {
  const result = evaluatePredictions(input);

  it('counts what was right, by class and in full', () => {
    expect(result).toMatchObject({ examples: 5, correct: 4, accuracy: 0.8, knownRate: 0.8 });
    expect(result.balancedAccuracy).toBeCloseTo((2 / 3 + 1) / 2, 12);
    // Right and accepted: rows 0, 3, 4; of no class and called unknown: row 5.
    expect(result.openAccuracy).toBeCloseTo(4 / 7, 12);
    expect(result.confusion).toEqual([
      [2, 1, 0],
      [0, 2, 0],
      [0, 0, 0],
    ]);
    expect(result.perClass[0]).toEqual({
      label: 'cat',
      examples: 3,
      predicted: 2,
      correct: 2,
      precision: 1,
      recall: 2 / 3,
      f1: 0.8,
      calledUnknown: 1,
    });
    expect(result.perClass[2]).toMatchObject({ label: 'owl', examples: 0, precision: null, recall: null, f1: null });
  });

  it('tells unknown inputs by strangeness, ties counted half', () => {
    expect(result.unknown).toEqual({ examples: 2, calledUnknownRate: 0.5, auroc: (5 + 3.5) / 10, fpr95: 0.5 });
    expect(result.histogram?.known.reduce((a, b) => a + b)).toBe(5);
    expect(result.histogram?.unknown.reduce((a, b) => a + b)).toBe(2);
  });

  it('compares confidence with accuracy over inputs of learned classes only', () => {
    expect(result.meanConfidence).toBeCloseTo(0.8, 12);
    expect(result.expectedCalibrationError).toBeCloseTo((0.1 + 0.2 + 0.6 + 0 + 0.3) / 5, 12);
  });

  it('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('says null, not NaN, where all inputs are known or all are unknown', () => {
    const all = (trueIndex: number): EvaluationInput => ({ ...input, trueIndices: new Int32Array(7).fill(trueIndex) });
    expect(evaluatePredictions(all(0)).unknown).toBeNull();
    const nothing = evaluatePredictions(all(-1));
    expect(nothing).toMatchObject({
      examples: 0,
      accuracy: null,
      balancedAccuracy: null,
      expectedCalibrationError: null,
    });
    expect(nothing).toMatchObject({ knownRate: null, meanConfidence: null, unknown: { auroc: null, fpr95: null } });
  });

  it.each([
    [
      'a class index out of range',
      { predictedIndices: Int32Array.of(0, 0, 3, 1, 1, 2, 0) },
      /predictedIndices\[2\], got 3/,
    ],
    ['a true index below -1', { trueIndices: Int32Array.of(0, 0, 0, 1, 1, -2, 0) }, /trueIndices\[5\], got -2/],
    [
      'a confidence above 1',
      { confidences: Float64Array.of(0.9, 1.1, 0, 1, 1, 1, 1) },
      /a probability from 0 to 1.*got 1\.1/,
    ],
    [
      'a NaN strangeness',
      { strangeness: new Float64Array(7).fill(Number.NaN) },
      /finite number for strangeness\[0\], got NaN/,
    ],
    ['arrays of different lengths', { known: new Uint8Array(6) }, /7 entries.* for known, got Uint8Array of length 6/],
  ])('names %s', (_what, change, message) => {
    expect(() => evaluatePredictions({ ...input, ...change })).toThrow(message);
  });

  it('refuses an evaluation of nothing', () => {
    const nothing = {
      trueIndices: new Int32Array(),
      predictedIndices: new Int32Array(),
      confidences: new Float64Array(),
    };
    expect(() => evaluatePredictions({ ...input, ...nothing })).toThrow(/at least one input to evaluate/);
  });
});

describe('auroc and fpr95', () => {
  const values = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 25 });

  it('equal counting every pair, and every threshold', () => {
    fc.assert(
      fc.property(values, values, (known, unknown) => {
        const [a, b] = [Float64Array.from(known), Float64Array.from(unknown)];
        let wins = 0;
        for (const u of unknown) for (const k of known) wins += u > k ? 1 : u === k ? 0.5 : 0;
        expect(auroc(a, b)).toBeCloseTo(wins / (known.length * unknown.length), 12);
        const share = (of: number[], threshold: number): number => of.filter((s) => s <= threshold).length / of.length;
        const threshold = Math.min(...known.filter((t) => share(known, t) >= 0.95));
        expect(fpr95(a, b)).toBe(share(unknown, threshold));
      }),
    );
  });

  it('are null for an empty side and name a NaN', () => {
    expect(auroc(new Float64Array(), Float64Array.of(1))).toBeNull();
    expect(fpr95(Float64Array.of(1), new Float64Array())).toBeNull();
    expect(() => auroc(Float64Array.of(Number.NaN), Float64Array.of(1))).toThrow(/a number for known\[0\], got NaN/);
  });

  it('put every input in one bin of the histogram, also where all are alike', () => {
    expect(strangenessHistogram(new Float64Array(3).fill(2), Float64Array.of(2), 4)).toMatchObject({
      known: [3, 0, 0, 0],
      unknown: [1, 0, 0, 0],
    });
    expect(strangenessHistogram(new Float64Array(), new Float64Array())).toBeNull();
  });
});

describe('reliabilityBins', () => {
  const inputs = fc.array(
    fc.record({ confidence: fc.double({ min: 0, max: 1, noNaN: true }), right: fc.integer({ min: 0, max: 1 }) }),
    {
      minLength: 1,
      maxLength: 60,
    },
  );

  it('puts each input in one bin that spans its confidence, both kinds', () => {
    fc.assert(
      fc.property(inputs, fc.integer({ min: 1, max: 20 }), (rows, numBins) => {
        const confidences = Float64Array.from(rows, (r) => r.confidence);
        const correct = Uint8Array.from(rows, (r) => r.right);
        for (const kind of ['width', 'mass'] as const) {
          const bins = reliabilityBins(confidences, correct, numBins, kind);
          expect(bins.length).toBeLessThanOrEqual(numBins);
          expect(bins.reduce((sum, b) => sum + b.count, 0)).toBe(rows.length);
          for (const b of bins) {
            if (b.confidence === null) continue;
            expect(b.confidence).toBeGreaterThanOrEqual(b.from - 1e-12);
            expect(b.confidence).toBeLessThanOrEqual(b.to + 1e-12);
          }
          const error = expectedCalibrationError(bins);
          expect(error).toBeGreaterThanOrEqual(0);
          expect(error).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('keeps equal confidences in one bin of equal mass', () => {
    const bins = reliabilityBins(new Float64Array(30).fill(0.7), new Uint8Array(30).fill(1), 5, 'mass');
    expect(bins).toHaveLength(1);
    expect(expectedCalibrationError(bins)).toBeCloseTo(0.3, 12);
  });
});

it('leaves inputs of no class out of the confusion matrix', () => {
  expect(confusionMatrix(Int32Array.of(-1, 1), Int32Array.of(0, 0), 2)).toEqual(Float64Array.of(0, 0, 1, 0));
});
