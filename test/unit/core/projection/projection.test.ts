import { describe, expect, it } from 'vitest';
import { typedArrayGemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import type { Projection, ProjectionInput } from '../../../../packages/core/src/projection/projection.ts';
import { rademacherRelu } from '../../../../packages/core/src/projection/rademacher-relu.ts';
import { randomFourier } from '../../../../packages/core/src/projection/random-fourier.ts';
import { popcount, seededBits } from '../../../../packages/core/src/projection/seeded-bits.ts';
import { sparseTopK } from '../../../../packages/core/src/projection/sparse-top-k.ts';
import { clusterCodes } from '../heads/example-sets.ts';

const context = { gemm: typedArrayGemm };
const even: ProjectionInput = { taps: 2, dim: 24, tapWeights: Float64Array.of(0.5, 0.5) };
const codes = clusterCodes({ counts: [6, 5], taps: 2, dim: 24 });

const makers: [string, (input: ProjectionInput, features: number, seed: number) => Projection][] = [
  ['rademacher-relu', rademacherRelu],
  ['sparse-top-k', sparseTopK],
  ['random-fourier', randomFourier],
];

/** FNV-1a of bytes. */
const fingerprint = (bytes: Int8Array): string =>
  (bytes.reduce((hash, byte) => Math.imul(hash ^ (byte & 255), 16777619), 2166136261 | 0) >>> 0).toString(16);

describe.each(makers)('projection %s', (_name, make) => {
  it('gives the same bits through the Gemm and without, alone and in a batch', async () => {
    for (const tapWeights of [even.tapWeights, Float64Array.of(1, 0), Float64Array.of(0.8, 0.2)]) {
      const projection = make({ ...even, tapWeights }, 200, 7);
      const batch = await projection.project(codes, 11, context);
      const plain = new Int8Array(11 * 200);
      projection.projectInto(codes, 11, plain);
      expect(plain).toEqual(batch);
      const alone = await projection.project(codes.subarray(48 * 3, 48 * 4), 1, context);
      expect(alone).toEqual(batch.slice(600, 800));
    }
  });

  it('gives the same bits wherever features and rows begin in memory', async () => {
    for (const features of [63, 66, 197]) {
      const projection = make(even, features, 7);
      const batch = await projection.project(codes, 11, context);
      for (const offset of [0, 1, 2, 3]) {
        const out = new Int8Array(offset + 11 * features + 4).fill(99);
        projection.projectInto(codes, 11, out.subarray(offset, offset + 11 * features));
        expect(out.subarray(offset, offset + 11 * features)).toEqual(batch);
        expect([...out.subarray(0, offset), ...out.subarray(offset + 11 * features)].every((x) => x === 99)).toBe(true);
      }
    }
  });

  it('depends on its seed and on nothing else', async () => {
    const [a, b, other] = await Promise.all([7, 7, 8].map((seed) => make(even, 64, seed).project(codes, 11, context)));
    expect(b).toEqual(a);
    expect(other).not.toEqual(a);
  });

  it('leaves out taps without weight', async () => {
    const projection = make({ ...even, tapWeights: Float64Array.of(1, 0) }, 64, 1);
    const changed = codes.slice();
    for (let i = 0; i < 11; i++) changed.fill(3, i * 48 + 24, (i + 1) * 48);
    expect(await projection.project(changed, 11, context)).toEqual(await projection.project(codes, 11, context));
  });
});

describe('seeded projections', () => {
  it('keep the bits they had: a saved classifier names a seed, not its numbers', async () => {
    const bits = seededBits(1);
    expect(Array.from({ length: 4 }, () => bits() >>> 0)).toMatchInlineSnapshot(`
      [
        393288148,
        2174103013,
        3814759091,
        2092745082,
      ]
    `);
    const prints = await Promise.all(
      makers.map(async ([, make]) => fingerprint(await make(even, 512, 1).project(codes, 11, context))),
    );
    expect(prints).toMatchInlineSnapshot(`
      [
        "2aa7d437",
        "39e031b3",
        "c5c672e6",
      ]
    `);
  });

  it('flip fair coins', () => {
    const next = seededBits(3);
    let ones = 0;
    for (let i = 0; i < 10_000; i++) ones += popcount(next());
    // 320,000 flips: four standard deviations are 1,131.
    expect(Math.abs(ones - 160_000)).toBeLessThan(1131);
    expect([popcount(0), popcount(-1), popcount(0x80000001)]).toEqual([0, 32, 2]);
  });

  it('keep the k largest activations, no more, in a sparse code', async () => {
    const projection = sparseTopK(even, 300, 2, 20);
    const features = await projection.project(codes, 11, context);
    const dense = await rademacherRelu(even, 300, 2).project(codes, 11, context);
    for (let i = 0; i < 11; i++) {
      const row = features.subarray(i * 300, (i + 1) * 300);
      const kept = Array.from(row.keys()).filter((m) => row[m] > 0);
      expect(kept.length).toBeLessThanOrEqual(20);
      expect(kept.length).toBeGreaterThan(15);
      const least = Math.min(...kept.map((m) => row[m]));
      for (const [m, x] of dense.subarray(i * 300, (i + 1) * 300).entries()) {
        if (row[m] === 0) expect(x).toBeLessThanOrEqual(least);
        else expect(x).toBe(row[m]);
      }
    }
  });

  it('approach their kernels: arc-cosine for ReLU, Gaussian for cosines', async () => {
    const features = 8192;
    const unit = (i: number, j: number): number => {
      let dot = 0;
      let a = 0;
      let b = 0;
      for (let p = 0; p < 48; p++) {
        dot += codes[i * 48 + p] * codes[j * 48 + p];
        a += codes[i * 48 + p] ** 2;
        b += codes[j * 48 + p] ** 2;
      }
      return dot / Math.sqrt(a * b);
    };
    const relu = await rademacherRelu(even, features).project(codes, 11, context);
    const cosine = await randomFourier(even, features, 1, 0.7).project(codes, 11, context);
    const product = (x: Int8Array, i: number, j: number): number => {
      let sum = 0;
      for (let m = 0; m < features; m++) sum += x[i * features + m] * x[j * features + m];
      return sum / features;
    };
    for (const [i, j] of [
      [0, 1],
      [0, 6],
      [2, 9],
      [4, 4],
    ]) {
      const angle = Math.acos(Math.min(1, unit(i, j)));
      const expected = (Math.sin(angle) + (Math.PI - angle) * Math.cos(angle)) / Math.PI;
      const measured = product(relu, i, j) / Math.sqrt(product(relu, i, i) * product(relu, j, j));
      // 1 / sqrt(8192) is 0.011; rounding to int8 adds less.
      expect(Math.abs(measured - expected)).toBeLessThan(0.045);
      const gaussian = Math.exp(-0.7 * (2 - 2 * unit(i, j)));
      expect(Math.abs((2 * product(cosine, i, j)) / 127 ** 2 - gaussian)).toBeLessThan(0.045);
    }
  });
});
