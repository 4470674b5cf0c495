/**
 * Shrinkage of a pooled within-class covariance toward a multiple of the identity.
 * GDA: Wang et al., A Hard-to-Beat Baseline for Training-free CLIP-based Adaptation (ICLR 2024), after Kubokawa and
 * Srivastava (2008): `P = d [(n - 1) S + tr(S) I]^-1`. OAS: Chen et al. (2010), equation 23.
 * Ledoit-Wolf: Ledoit and Wolf (2004), as scikit-learn computes it. All assume centred data.
 */

import { expected, ImprintError } from '../errors.ts';

/** A name, or a fixed intensity from 0 (the covariance as it is) to 1 (a sphere). */
export type Shrinkage = 'gda' | 'oas' | 'ledoit-wolf' | number;

/** What shrinkage is computed from: all of it invariant to rotation, so the primal and the dual agree. */
export interface ScatterMoments {
  /** Trace of the within-class scatter `sum_i z_i z_i^T`, z_i = x_i minus its class's mean. */
  readonly trace: number;
  /** Sum of squares of the scatter's entries. */
  readonly squares: number;
  /** `sum_i |z_i|^4`; only Ledoit-Wolf needs it. Undefined in statistics mode. */
  readonly fourth: number | undefined;
  readonly numExamples: number;
  /** Examples less classes. */
  readonly degrees: number;
  readonly dim: number;
}

/** The precision matrix is `factor * (scatterWeight * scatter + ridge * I)^-1`. */
export interface ShrunkPrecision {
  readonly scatterWeight: 0 | 1;
  readonly ridge: number;
  readonly factor: number;
  /** The intensity, from 0 to 1, of `(1 - intensity) S + intensity tr(S) / d I`. */
  readonly intensity: number;
}

/** Squared lengths of examples are near one: a scatter below this share of them is rounding, all examples of a class being alike. */
const ROUNDING = 1e-12;

/** @throws UNSUPPORTED for Ledoit-Wolf without fourth moments; INVALID_ARGUMENT for an intensity outside 0 to 1 */
export function shrinkPrecision(shrinkage: Shrinkage, moments: ScatterMoments): ShrunkPrecision {
  const { numExamples: n, dim } = moments;
  if (typeof shrinkage === 'number' && !(shrinkage >= 0 && shrinkage <= 1)) {
    throw expected('shrinkage', 'a number from 0 to 1', shrinkage);
  }
  const trace = moments.trace < ROUNDING * n ? 0 : moments.trace;
  // No scatter at all (one example a class, or all alike): every direction counts the same.
  if (!(trace > 0)) return { scatterWeight: 0, ridge: 1, factor: 1, intensity: 1 };
  if (shrinkage === 'gda') {
    const ridge = trace / Math.max(1, n - 1);
    return { scatterWeight: 1, ridge, factor: dim, intensity: dim / (dim + Math.max(1, n - 1)) };
  }
  const intensity =
    shrinkage === 'oas'
      ? oasIntensity(moments)
      : shrinkage === 'ledoit-wolf'
        ? ledoitWolfIntensity(moments)
        : shrinkage;
  // At full intensity the covariance is the sphere tr(S) / d I.
  if (intensity > 1 - 1e-12) return { scatterWeight: 0, ridge: trace / (n * dim), factor: 1, intensity: 1 };
  return {
    scatterWeight: 1,
    ridge: ((intensity / (1 - intensity)) * trace) / dim,
    factor: n / (1 - intensity),
    intensity,
  };
}

/** The sample size is the degrees of freedom that the class means leave; the intensity does not depend on scale. */
function oasIntensity({ trace, squares, degrees, dim }: ScatterMoments): number {
  const spread = (degrees + 1 - 2 / dim) * (squares - (trace * trace) / dim);
  return spread > 0 ? Math.min(1, ((1 - 2 / dim) * squares + trace * trace) / spread) : 1;
}

/** An intensity below this is rounding: where there is noise at all it is near one over the number of examples. */
const NO_NOISE = 1e-12;

function ledoitWolfIntensity({ trace, squares, fourth, numExamples: n, dim }: ScatterMoments): number {
  if (fourth === undefined) {
    throw new ImprintError(
      'UNSUPPORTED',
      "Expected examples for Ledoit-Wolf shrinkage, got statistics mode, which keeps sums only. Use shrinkage 'gda' or 'oas'.",
    );
  }
  const mu = trace / (n * dim);
  const frobenius = squares / (n * n);
  const distance = frobenius / dim - mu * mu;
  const noise = (fourth / n - frobenius) / (dim * n);
  // Every deviation is plus or minus one vector (two examples of one class): no noise to measure, and nothing to invert.
  if (!(distance > 0 && noise > NO_NOISE * distance)) return 1;
  return Math.min(noise, distance) / distance;
}
