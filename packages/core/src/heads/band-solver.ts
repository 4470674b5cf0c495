/** Many values of lambda from one reduction to a band. */

import { reduceToBand } from '../linalg/band-reduction.ts';
import { bandedSystem } from '../linalg/banded-system.ts';
import type { ManySolver } from './ridge-solver.ts';

/** 64 costs each lambda half as much again and saves nothing in the reduction; 16 costs as much a lambda. */
const BAND = 32;

/**
 * One reduction to a band (`5/3 order^3`), then `2 band order^2` a lambda, where a Cholesky factor and its inverse take
 * `2/3 order^3` multiplications each. Measured break-even at 1,000 to 4,096 examples: 5 values through ONNX Runtime, 7 in
 * WebAssembly. A search could take 8 but stops after 4 or 5 as a rule.
 */
export const bandSolver: ManySolver = {
  least: 9,
  async start(matrix, order, right, count, context) {
    const reduction = await reduceToBand(matrix, order, context, BAND);
    const solve = await bandedSystem(reduction, right, count, context);
    return {
      method: 'band',
      async solve(lambda) {
        const { solved, inverseDiagonal } = await solve(lambda);
        return { coefficients: solved, inverseDiagonal };
      },
    };
  },
};
