/** The default novelty score. */

import type { FitContext, Memory } from '../../head.ts';
import { cosine } from '../dot-product.ts';
import { everyRow, UNRELATED, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import { addressInto } from './memory-addressing.ts';
import { WhitenedGroups } from './whitened-groups.ts';

/** MemAE's addressing temperature; 4 to 48 were measured, see the table above. */
const TEMPERATURE = 12;

export const whitenedMemory: NoveltyScore = {
  name: 'whitened-memory',
  async fit(memory: Memory, context: FitContext): Promise<FittedNovelty> {
    return new FittedWhitenedMemory(memory, await WhitenedGroups.ofClasses(memory, context));
  },
};

class FittedWhitenedMemory implements FittedNovelty {
  readonly #memory: Memory;
  readonly #classes: WhitenedGroups;
  readonly #similarities: Float64Array;
  readonly #weights: Float64Array;
  readonly #scratch: Float64Array;

  constructor(memory: Memory, classes: WhitenedGroups) {
    this.#memory = memory;
    this.#classes = classes;
    this.#similarities = new Float64Array(memory.numClasses);
    this.#weights = new Float64Array(memory.numClasses);
    this.#scratch = new Float64Array(memory.dim);
  }

  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    const { width } = this.#memory;
    for (let i = 0; i < numQueries; i++) {
      this.#classes.readQuery(codes, i * width);
      out[i] = this.#strangeness(-1);
    }
  }

  leaveOneOut(rows: Int32Array = everyRow(this.#memory.numExamples)): Float64Array<ArrayBuffer> {
    const out = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) out[r] = this.#strangeness(this.#classes.readExample(rows[r]).emptied);
    return out;
  }

  #strangeness(emptied: number): number {
    const { numGroups, square, products, squares } = this.#classes;
    const numItems = emptied < 0 ? numGroups : numGroups - 1;
    if (numItems === 0) return 2 * UNRELATED;
    const similarities = this.#similarities;
    const weights = this.#weights;
    let nearest = -1;
    for (let k = 0; k < numGroups; k++) {
      const similarity = k === emptied ? -Infinity : cosine(products[k], square, squares[k]);
      similarities[k] = similarity;
      if (similarity > nearest) nearest = similarity;
    }
    addressInto(similarities, numGroups, TEMPERATURE, 1 / numItems, weights);
    let along = 0;
    for (let k = 0; k < numGroups; k++) {
      if (weights[k] === 0) continue;
      along += weights[k] * similarities[k];
      // From here on the weight of an item is the factor of its class mean, which is not of unit length.
      weights[k] = squares[k] > 0 ? weights[k] / Math.sqrt(squares[k]) : 0;
    }
    const rebuilt = cosine(along, 1, this.#classes.squareOfSum(weights, this.#scratch));
    return 1 - nearest + (1 - rebuilt);
  }
}
