import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { classCovariance } from '../../../packages/core/src/heads/class-covariance.ts';
import { discriminant } from '../../../packages/core/src/heads/discriminant.ts';
import { kernelRidge } from '../../../packages/core/src/heads/kernel-ridge.ts';
import { nearestExamples } from '../../../packages/core/src/heads/nearest-examples.ts';
import { projectedRidge } from '../../../packages/core/src/heads/projected-ridge.ts';
import type { FittedHead, Head } from '../../../packages/core/src/head.ts';
import { typedArrayGemm } from '../../../packages/core/src/linalg/typed-array-gemm.ts';
import { memoryFromCodes } from '../../../packages/core/src/memory/from-codes.ts';
import { rademacherRelu } from '../../../packages/core/src/projection/rademacher-relu.ts';

interface Ridge {
  readonly lambda: number;
  readonly scores: number[][];
  readonly leaveOneOut: number[][];
}

interface Labelled {
  readonly codes: number[];
  readonly owners: number[];
  readonly scores: number[][];
}

interface Golden {
  readonly codes: number[];
  readonly owners: number[];
  readonly queries: number[];
  readonly gda: number[][];
  readonly oas: { readonly intensity: number; readonly scores: number[][] };
  readonly ledoitWolf: { readonly intensity: number };
  readonly lda: Labelled;
  readonly arcCosineRidge: Ridge[];
  readonly linearRidge: Ridge;
  readonly projected: {
    readonly features: number;
    readonly lambda: number;
    readonly codes: number[];
    readonly scores: number[][];
  };
  readonly nearest: (number | null)[][];
  readonly fecam: Labelled;
}

const golden = JSON.parse(readFileSync(new URL('heads.json', import.meta.url), 'utf8')) as Golden;
const context = { gemm: typedArrayGemm };
const queries = Int8Array.from(golden.queries);

const fit = (head: Head, { codes, owners }: { codes: number[]; owners: number[] } = golden): Promise<FittedHead> =>
  head.fit(memoryFromCodes(Int8Array.from(codes), owners, 2, 6), context);

function scoresOf(head: FittedHead): Float64Array {
  const out = new Float64Array(6 * head.numClasses);
  head.scoresInto(queries, 6, out);
  return out;
}

/** The largest difference, relative to the largest number. */
function error(measured: Float64Array, expected: readonly number[][]): number {
  const flat = expected.flat();
  expect(measured).toHaveLength(flat.length);
  const scale = Math.max(...flat.map(Math.abs));
  return Math.max(...flat.map((x, i) => Math.abs(x - measured[i]))) / scale;
}

/** Two double-precision solvers of systems with condition numbers up to 1e4: twelve digits remain of sixteen. */
const SOLVED = 1e-11;
/** Scores from weights that are rounded to 32 bits, 2^-31 of a class's largest. */
const ROUNDED = 1e-9;

describe('heads against NumPy and scikit-learn', () => {
  it("scores by GDA's precision matrix", async () => {
    expect(error(scoresOf(await fit(discriminant())), golden.gda)).toBeLessThan(ROUNDED);
  });

  it('shrinks by OAS', async () => {
    const head = await fit(discriminant({ shrinkage: 'oas' }));
    expect(head.report.parameters.shrinkage).toBeCloseTo(golden.oas.intensity, 12);
    expect(error(scoresOf(head), golden.oas.scores)).toBeLessThan(ROUNDED);
  });

  it("shrinks by scikit-learn's Ledoit-Wolf", async () => {
    const head = await fit(discriminant({ shrinkage: 'ledoit-wolf' }));
    expect(head.report.parameters.shrinkage).toBeCloseTo(golden.ledoitWolf.intensity, 12);
  });

  it("scores as scikit-learn's LinearDiscriminantAnalysis at the same shrinkage", async () => {
    const head = await fit(discriminant({ shrinkage: 0.3 }), golden.lda);
    expect(error(scoresOf(head), golden.lda.scores)).toBeLessThan(ROUNDED);
  });

  it("solves kernel ridge as scikit-learn's KernelRidge, and leaves out as refitting it does", async () => {
    const cases: [Ridge, 'arc-cosine' | 'linear'][] = [
      ...golden.arcCosineRidge.map((ridge): [Ridge, 'arc-cosine'] => [ridge, 'arc-cosine']),
      [golden.linearRidge, 'linear'],
    ];
    for (const [ridge, kernel] of cases) {
      const head = await fit(kernelRidge({ kernel, lambda: ridge.lambda }));
      expect(error(scoresOf(head), ridge.scores)).toBeLessThan(SOLVED);
      expect(error(head.leaveOneOut(), ridge.leaveOneOut)).toBeLessThan(SOLVED);
    }
  });

  it("projects to the bits of another language's generator, and solves RanPAC's equations on them", async () => {
    const { features, lambda } = golden.projected;
    const projection = rademacherRelu({ taps: 2, dim: 6, tapWeights: Float64Array.of(0.5, 0.5) }, features);
    expect(Array.from(await projection.project(queries, 6, context))).toEqual(golden.projected.codes);
    const head = await fit(projectedRidge({ numFeatures: features, lambda }));
    expect(error(scoresOf(head), golden.projected.scores)).toBeLessThan(ROUNDED);
  });

  it('lets the neighbours vote that scikit-learn finds', async () => {
    const scores = scoresOf(await fit(nearestExamples({ k: 5 })));
    for (const [q, row] of golden.nearest.entries()) {
      const least = Math.min(...row.filter((x) => x !== null));
      for (const [c, x] of row.entries()) {
        if (x === null) expect(scores[q * 4 + c]).toBeLessThan(least);
        else expect(scores[q * 4 + c]).toBeCloseTo(x, 12);
      }
    }
  });

  it("measures FeCAM's distances", async () => {
    expect(error(scoresOf(await fit(classCovariance(), golden.fecam)), golden.fecam.scores)).toBeLessThan(SOLVED);
  });
});
