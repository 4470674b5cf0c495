/**
 * Random projection of which only the k largest activations stay: the fruit fly's winner-take-all code.
 * Fly-CL: Zou et al. (2025); Dasgupta, Stevens, Navlakha, A Neural Algorithm for a Fundamental Computing Problem
 * (Science 2017). We differ: dense +-1 weights, int8 features.
 */

import { integerProjection, tapFactors } from './integer-projection.ts';
import type { Projection, ProjectionInput } from './projection.ts';
import { rademacherWeights, requantisingShift } from './rademacher-relu.ts';

/**
 * @param numFeatures M, default 4096
 * @param active how many stay, default an eighth of M; of equal activations the one with the smaller index
 */
export function sparseTopK(
  input: ProjectionInput,
  numFeatures = 4096,
  seed = 1,
  active = numFeatures >> 3,
): Projection {
  const weights = rademacherWeights(numFeatures, input.taps * input.dim, seed);
  const shift = requantisingShift(tapFactors(input).length);
  const parameters = { features: numFeatures, seed, shift, active };
  const sorted = new Int32Array(numFeatures);
  return integerProjection(
    'sparse-top-k',
    parameters,
    input,
    weights,
    numFeatures,
    (products, from, count, out, at) => {
      for (let m = 0; m < count; m++) sorted[m] = products[from + m];
      sorted.sort();
      const threshold = active > 0 ? sorted[count - Math.min(active, count)] : Infinity;
      let above = 0;
      for (let m = 0; m < count; m++) if (products[from + m] > threshold) above++;
      let ties = Math.min(active, count) - above;
      for (let m = 0; m < count; m++) {
        const h = products[from + m];
        const stays = h > threshold || (h === threshold && ties-- > 0);
        out[at + m] = stays && h > 0 ? Math.min(h >> shift, 127) : 0;
      }
    },
  );
}
