/** The temperature and the softmax behind every confidence. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitTemperature, probabilitiesInto } from '../../../../packages/core/src/scores/calibration.ts';
import { gaussian, seededRandom } from '../../../embeddings.ts';

/** Scores of `perClass` examples in each of `numClasses` classes, and labels drawn from softmax(scores / temperature). */
function drawn(numClasses: number, count: number, temperature: number): { scores: Float64Array; labels: Int32Array } {
  const random = seededRandom(11);
  const scores = Float64Array.from({ length: count * numClasses }, () => 3 * gaussian(random));
  const p = new Float64Array(numClasses);
  const labels = Int32Array.from({ length: count }, (_, i) => {
    probabilitiesInto(scores.subarray(i * numClasses, (i + 1) * numClasses), 1, numClasses, temperature, p);
    let u = random();
    let k = 0;
    while (k < numClasses - 1 && u >= p[k]) u -= p[k++];
    return k;
  });
  return { scores, labels };
}

const separable = (margin: number): Float64Array =>
  Float64Array.of(margin, 0, margin, 0, margin, 0, 0, margin, 0, margin, 0, margin);
const twoOfThree = Int32Array.of(0, 0, 0, 1, 1, 1);

describe('fitTemperature', () => {
  it.each([0.5, 2, 8])('recovers the temperature %d that labels were drawn at', async (temperature) => {
    const { scores, labels } = drawn(5, 20_000, temperature);
    expect(Math.abs(Math.log((await fitTemperature(scores, labels, 20_000, 5)) / temperature))).toBeLessThan(0.08);
  });

  it('gives the same probabilities for scores in other units', async () => {
    const { scores, labels } = drawn(4, 200, 2);
    const probabilities = async (factor: number): Promise<Float64Array> => {
      const scaled = scores.map((s) => s * factor);
      probabilitiesInto(scaled, 200, 4, await fitTemperature(scaled, labels, 200, 4), scaled);
      return scaled;
    };
    const once = await probabilities(1);
    // The search for the temperature stops at a thousandth of a natural-log unit.
    for (const factor of [1e-9, 0.01, 1e9]) {
      (await probabilities(factor)).forEach((p, i) => expect(p).toBeCloseTo(once[i], 2));
    }
  });

  it('stays finite where leave-one-out makes no mistake, and leaves some doubt', async () => {
    const temperature = await fitTemperature(separable(1), twoOfThree, 6, 2);
    const p = separable(1);
    probabilitiesInto(p, 6, 2, temperature, p);
    expect(p[0]).toBeGreaterThan(0.7);
    expect(p[0]).toBeLessThan(0.99);
  });

  it('grows surer with more examples that leave-one-out gets right', async () => {
    const many = new Float64Array(200 * 2);
    const labels = Int32Array.from({ length: 200 }, (_, i) => (i < 100 ? 0 : 1));
    labels.forEach((k, i) => (many[i * 2 + k] = 1));
    expect(await fitTemperature(many, labels, 200, 2)).toBeLessThan(
      await fitTemperature(separable(1), twoOfThree, 6, 2),
    );
  });

  it('follows the spread of scores where every class has one or two examples', async () => {
    const scores = Float64Array.of(-Infinity, 1, 3, 5, -Infinity, 1, 2, 4, -Infinity);
    expect(await fitTemperature(scores, Int32Array.of(0, 1, 2), 3, 3)).toBeCloseTo(
      (2.2 * Math.sqrt((1 + 2 + 1) / 3)) / Math.sqrt(2 * Math.log(3)),
      2,
    );
    const two = Float64Array.of(1, 3, 1, 3, 3, 1, 1, 3);
    expect(await fitTemperature(two, Int32Array.of(0, 0, 1, 1), 4, 2)).toBeCloseTo(2.2 / Math.sqrt(2 * Math.log(2)), 2);
  });

  it('is 1 for one class and for scores that do not differ', async () => {
    expect(await fitTemperature(Float64Array.of(5, 6, 7), Int32Array.of(0, 0, 0), 3, 1)).toBe(1);
    expect(await fitTemperature(new Float64Array(12).fill(2), twoOfThree, 6, 2)).toBe(1);
    expect(await fitTemperature(new Float64Array(0), new Int32Array(0), 0, 2)).toBe(1);
  });

  it('weighs classes alike however many examples they have', async () => {
    const { scores, labels } = drawn(3, 600, 2);
    const order = [...labels.keys()].sort((a, b) => labels[a] - labels[b]);
    const copies = order.flatMap((i) => (labels[i] === 0 ? [i, i, i, i] : [i]));
    const copied = Float64Array.from(copies.flatMap((i) => [...scores.subarray(i * 3, i * 3 + 3)]));
    const repeated = await fitTemperature(
      copied,
      Int32Array.from(copies, (i) => labels[i]),
      copies.length,
      3,
    );
    expect(Math.abs(Math.log(repeated / (await fitTemperature(scores, labels, 600, 3))))).toBeLessThan(0.02);
  });

  it('reads the rows that scores cover', async () => {
    const { scores, labels } = drawn(4, 300, 2);
    const rows = Int32Array.from({ length: 300 }, (_, i) => i).filter((i) => i % 2 === 0);
    const some = Float64Array.from([...rows].flatMap((i) => [...scores.subarray(i * 4, i * 4 + 4)]));
    const fitted = await fitTemperature(some, labels, 300, 4, rows);
    expect(Math.abs(Math.log(fitted / 2))).toBeLessThan(0.3);
  });

  it('names a NaN', async () => {
    await expect(fitTemperature(Float64Array.of(1, Number.NaN), Int32Array.of(0), 1, 2)).rejects.toThrow(
      /Expected a number for scores\[1\], got NaN/,
    );
  });
});

describe('probabilitiesInto', () => {
  it('gives rows that sum to 1 and keep the order of scores, whatever their size', () => {
    const score = fc.double({ min: -1e300, max: 1e300, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(score, { minLength: 1, maxLength: 8 }),
        fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
        (row, t) => {
          const scores = Float64Array.from(row);
          const p = new Float64Array(row.length);
          probabilitiesInto(scores, 1, row.length, t, p);
          expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
          for (let a = 0; a < row.length; a++)
            for (let b = 0; b < row.length; b++) if (row[a] > row[b]) expect(p[a]).toBeGreaterThanOrEqual(p[b]);
        },
      ),
    );
  });

  it('gives an impossible class no probability', () => {
    const p = new Float64Array(3);
    probabilitiesInto(Float64Array.of(1, -Infinity, 1), 1, 3, 1, p);
    expect([...p]).toEqual([0.5, 0, 0.5]);
  });
});
