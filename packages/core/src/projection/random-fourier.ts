/**
 * Random Fourier features `cos(w x + b)` of the RBF kernel `exp(-gamma |x - y|^2)`, as int8.
 * Rahimi and Recht (NeurIPS 2007), equation 2; on class means and a shared covariance: KLDA, Momeni et al. (2024).
 * We differ: weights are binomial (64 coin flips), phases are steps of 2 pi / 4096 and the cosine a table of int8, so that
 * every bit follows from integers and a polynomial.
 */

import { integerProjection, tapFactors } from './integer-projection.ts';
import type { Projection, ProjectionInput } from './projection.ts';
import { popcount, seededBits } from './seeded-bits.ts';

/** Steps of a full turn. */
const TURN = 4096;
/** Standard deviation of 64 coin flips. */
const WEIGHT_DEVIATION = 4;

/** `round(127 cos(2 pi p / 4096))` by the Taylor series up to x^16: sums and products alone, which IEEE 754 fixes. */
function cosineTable(): Int8Array {
  const table = new Int8Array(TURN);
  const half = TURN / 2;
  for (let p = 0; p <= half; p++) {
    const reflected = p > half / 2;
    const x = ((reflected ? half - p : p) * Math.PI) / half;
    let term = 1;
    let sum = 1;
    for (let k = 1; k <= 8; k++) {
      term *= (-x * x) / ((2 * k - 1) * (2 * k));
      sum += term;
    }
    table[p] = Math.round(127 * (reflected ? -sum : sum));
    table[(TURN - p) % TURN] = table[p];
  }
  return table;
}

/**
 * @param numFeatures M, default 4096
 * @param gamma of the kernel, for embeddings of unit length; default 1
 */
export function randomFourier(input: ProjectionInput, numFeatures = 4096, seed = 1, gamma = 1): Projection {
  const width = input.taps * input.dim;
  const weights = new Int8Array(numFeatures * width);
  const next = seededBits(seed);
  for (let i = 0; i < weights.length; i++) weights[i] = popcount(next()) + popcount(next()) - 32;
  const phases = Int32Array.from({ length: numFeatures }, () => next() & (TURN - 1));
  const table = cosineTable();
  // Weights of variance 2 gamma on unit vectors, as steps of a turn.
  const steps = (Math.sqrt(2 * gamma) * TURN) / (2 * Math.PI * WEIGHT_DEVIATION * tapFactors(input).length);
  const parameters = { features: numFeatures, seed, gamma };
  return integerProjection(
    'random-fourier',
    parameters,
    input,
    weights,
    numFeatures,
    (products, from, count, out, at) => {
      for (let m = 0; m < count; m++) {
        out[at + m] = table[(Math.round(products[from + m] * steps) + phases[m]) & (TURN - 1)];
      }
    },
  );
}
