/**
 * Distance from the nearest class prototype: `1 - max_k cos(x, sum of class k)`.
 * The out-of-distribution score of a cosine nearest-class-mean classifier: simple, and hard to beat on far outliers.
 */

import type { FitContext, Memory } from '../../head.ts';
import { everyRow, UNRELATED, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import { PrototypeCosines } from './prototype-cosines.ts';

export const cosinePrototype: NoveltyScore = {
  name: 'cosine-prototype',
  async fit(memory: Memory, _context: FitContext): Promise<FittedNovelty> {
    const { width, numClasses, numExamples } = memory;
    const prototypes = new PrototypeCosines(memory);
    const strangeness = (): number => {
      let nearest = -Infinity;
      for (let k = 0; k < numClasses; k++) if (prototypes.cosines[k] > nearest) nearest = prototypes.cosines[k];
      return nearest === -Infinity ? UNRELATED : 1 - nearest;
    };
    return {
      strangenessInto(codes, numQueries, out) {
        for (let i = 0; i < numQueries; i++) {
          prototypes.readQuery(codes, i * width);
          out[i] = strangeness();
        }
      },
      leaveOneOut(rows = everyRow(numExamples)) {
        return Float64Array.from(rows, (row) => {
          prototypes.readExample(row);
          return strangeness();
        });
      },
    };
  },
};
