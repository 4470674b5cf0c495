/**
 * The default novelty score: cosines in coordinates where classes scatter alike in every direction.
 *
 *     strangeness = [1 - max_k cos(x, m_k)] + [1 - cos(x, x^)],   x^ = sum_k w_k m_k / |m_k|
 *
 * with `cos(a, b) = a'b / (|a| |b|)` in the metric `a' (W + ridge I)^-1 b` of whitened-groups.ts, m_k the class means
 * and w MemAE's sparse addressing (memory-addressing.ts) at temperature 12 and threshold 1 / numClasses. The first term
 * is Mahalanobis++ (Mueller & Hein 2025) with a second normalisation after whitening; the second is MemAE's
 * reconstruction (Gong et al. 2019) there. From 0 to 4.
 *
 * AUROC, DeiT-Tiny's last class token, mean over seeds. "Textures" and "background": Caltech-101 known, `dtd10` and
 * `caltech_background` unknown, at 1, 5 and 20 examples a class. "Third" and "one": a third of the classes left out, or
 * all but one, at 1, 5, 10 and 100 examples, in the order PACS, clothing, Caltech-101, Tiny ImageNet.
 *
 *     |                        | textures       | background     | third               | one                 | mean |
 *     |------------------------|----------------|----------------|---------------------|---------------------|------|
 *     | whitened-memory        | .949 .987 .991 | .550 .742 .803 | .699 .683 .841 .707 | .780 .857 .968 .901 | .819 |
 *     | cosine-prototype       | .920 .985 .990 | .570 .685 .734 | .654 .691 .841 .695 | .758 .857 .968 .901 | .804 |
 *     | mahalanobis++          | .920 .981 .988 | .570 .656 .677 | .669 .655 .841 .700 | .770 .849 .968 .902 | .796 |
 *     | sparse-memory          | .959 .991 .994 | .517 .653 .703 | .631 .663 .824 .653 | .758 .857 .968 .901 | .791 |
 *     | virtual-logit          | .945 .988 .992 | .516 .617 .675 | .654 .664 .839 .663 | .764 .856 .968 .902 | .789 |
 *     | nearest-5-examples     | .811 .967 .982 | .260 .469 .624 | .613 .622 .734 .610 | .731 .830 .967 .894 | .723 |
 *     | relative-mahalanobis++ | .526 .882 .954 | .717 .793 .825 | .560 .598 .771 .618 | .500 .500 .500 .500 | .660 |
 */

import type { FitContext, Memory } from '../../head.ts';
import { cosine } from '../dot-product.ts';
import { everyRow, UNRELATED, type FittedNovelty, type NoveltyScore } from '../novelty.ts';
import type { CodeForms } from './code-forms.ts';
import { addressInto } from './memory-addressing.ts';
import { WhitenedGroups } from './whitened-groups.ts';

/** Of 4, 8, 12, 24 and 48, the best mean over the sets above. */
const TEMPERATURE = 12;
/** Examples x classes of a block of products, and between two turns of the host's event loop: some 10 ms. */
const BLOCK_ENTRIES = 2 ** 18;
const TURN_ENTRIES = 2 ** 15;

export const whitenedMemory: NoveltyScore = {
  name: 'whitened-memory',
  async fit(memory: Memory, context: FitContext): Promise<FittedNovelty> {
    const classes = await WhitenedGroups.ofClasses(memory, context);
    return new FittedWhitenedMemory(memory, classes, await classes.codeForms(context));
  },
};

class FittedWhitenedMemory implements FittedNovelty {
  readonly #memory: Memory;
  readonly #classes: WhitenedGroups;
  readonly #forms: CodeForms;
  readonly #similarities: Float64Array;
  readonly #weights: Float64Array;
  readonly #scratch: Float64Array;
  #nearest = 0;
  #along = 0;

  constructor(memory: Memory, classes: WhitenedGroups, forms: CodeForms) {
    this.#memory = memory;
    this.#forms = forms;
    this.#classes = classes;
    this.#similarities = new Float64Array(memory.numClasses);
    this.#weights = new Float64Array(memory.numClasses);
    this.#scratch = new Float64Array(memory.dim);
  }

  strangenessInto(codes: Int8Array, numQueries: number, out: Float64Array): void {
    const { width } = this.#memory;
    for (let i = 0; i < numQueries; i++) {
      this.#forms.read(codes, i * width);
      out[i] = this.#strangeness(this.#forms, -1);
    }
  }

  leaveOneOut(rows: Int32Array = everyRow(this.#memory.numExamples)): Float64Array<ArrayBuffer> {
    const out = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++)
      out[r] = this.#strangeness(this.#classes, this.#classes.readExample(rows[r]).emptied);
    return out;
  }

  async leaveOneOutMany(rows: Int32Array, context: FitContext): Promise<Float64Array<ArrayBuffer>> {
    const out = new Float64Array(rows.length);
    const blockRows = Math.max(1, Math.floor(BLOCK_ENTRIES / this.#memory.numClasses));
    const turnRows = Math.max(1, Math.floor(TURN_ENTRIES / this.#memory.numClasses));
    for (let start = 0; start < rows.length; start += blockRows) {
      context.signal?.throwIfAborted();
      const block = rows.subarray(start, start + blockRows);
      const products = await this.#classes.productsOf(block, context);
      const factors = new Float64Array(block.length * this.#memory.numClasses);
      const gains = new Float64Array(block.length);
      const nearest = new Float64Array(block.length);
      const along = new Float64Array(block.length);
      for (let at = 0; at < block.length; at++) {
        const { emptied } = this.#classes.readExample(block[at], products, at);
        gains[at] = this.#classes.gain;
        this.#address(this.#classes, emptied);
        nearest[at] = this.#nearest;
        along[at] = this.#along;
        factors.set(this.#weights, at * this.#memory.numClasses);
        if ((at + 1) % turnRows === 0) await context.yieldToHost?.();
      }
      const squares = await this.#classes.squaresOfSums(block, products, factors, gains, context);
      for (let at = 0; at < block.length; at++) {
        out[start + at] = strangeness(nearest[at], along[at], squares[at]);
      }
    }
    return out;
  }

  #strangeness(read: CodeForms | WhitenedGroups, emptied: number): number {
    this.#address(read, emptied);
    return strangeness(this.#nearest, this.#along, read.squareOfSum(this.#weights, this.#scratch));
  }

  /** Fills `#nearest`, the largest cosine, `#weights`, the factors of the means that rebuild the input, and `#along`, its product with their sum. */
  #address({ numGroups, square, products, squares }: CodeForms | WhitenedGroups, emptied: number): void {
    const numItems = emptied < 0 ? numGroups : numGroups - 1;
    const similarities = this.#similarities;
    const weights = this.#weights;
    this.#along = 0;
    if (numItems === 0) {
      this.#nearest = 1 - UNRELATED;
      weights.fill(0);
      return;
    }
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
    this.#nearest = nearest;
    this.#along = along;
  }
}

/** @param square squared length of the sum that rebuilds the input. Where there is none, `UNRELATED` twice. */
function strangeness(nearest: number, along: number, square: number): number {
  return 1 - nearest + (1 - cosine(along, 1, square));
}
