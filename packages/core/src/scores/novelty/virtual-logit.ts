/**
 * ViM: the part of an embedding outside the space that the examples span, set against its class scores.
 * Wang, Li, Feng, Zhang 2022 (ViM: Out-Of-Distribution with Virtual-logit Matching), equations 5 to 7:
 *
 *     strangeness = alpha |residual of x| - log sum_k exp(logit_k)
 *
 * Where we differ. ViM reads a trained linear layer; here a logit is `20 cos(x, prototype k)`. ViM's residual lies
 * outside D leading principal directions, and D has to be guessed; ours is ridge regression's, soft in every direction,
 *
 *     |residual|^2 = ridge (x - m)' (T + ridge I)^-1 (x - m),   T the scatter of all examples about their mean m,
 *
 * so that leave-one-out is exact. ViM's alpha, mean highest logit over mean residual, brings two unlike units together;
 * ours is 20, because a cosine and a residual are both lengths beside a unit-length embedding. With a single class it
 * has one logit and still applies.
 */

import type { FitContext, Memory } from '../../head.ts';
import { codeScale } from '../../memory/codes.ts';
import { everyRow, UNRELATED, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import { PrototypeCosines } from './prototype-cosines.ts';
import { groupRidge, WhitenedGroups } from './whitened-groups.ts';

/** Factor of cosines and of residuals. */
const SHARPNESS = 20;

export const virtualLogit: NoveltyScore = {
  name: 'virtual-logit',
  async fit(memory: Memory, context: FitContext): Promise<FittedNovelty> {
    const { width, dim, numClasses, numExamples } = memory;
    const prototypes = new PrototypeCosines(memory);
    const all = await WhitenedGroups.ofAll(memory, context);
    const residualScale = groupRidge(dim) / codeScale(dim) ** 2;
    const strangeness = (): number => {
      let highest = -Infinity;
      for (let k = 0; k < numClasses; k++) if (prototypes.cosines[k] > highest) highest = prototypes.cosines[k];
      if (highest === -Infinity) return SHARPNESS * UNRELATED;
      let total = 0;
      for (let k = 0; k < numClasses; k++) total += Math.exp(SHARPNESS * (prototypes.cosines[k] - highest));
      // Rounding can leave a hair below zero at the mean itself.
      const distance = Math.max(0, all.square - 2 * all.products[0] + all.squares[0]);
      return SHARPNESS * Math.sqrt(residualScale * distance) - (SHARPNESS * highest + Math.log(total));
    };
    return {
      strangenessInto(codes, numQueries, out) {
        for (let i = 0; i < numQueries; i++) {
          prototypes.readQuery(codes, i * width);
          all.readQuery(codes, i * width);
          out[i] = strangeness();
        }
      },
      leaveOneOut(rows = everyRow(numExamples)) {
        return Float64Array.from(rows, (row) => {
          prototypes.readExample(row);
          all.readExample(row);
          return strangeness();
        });
      },
    };
  },
};
