/** Embeddings with classes, from a seed: for figures that do not depend on what the numbers mean. */

/** Spread of examples about their class's centre, in units of the centres' own. */
const SPREAD = 1;

export class SeededEmbeddings {
  readonly dim: number;
  readonly #centres = new Map<number, Float32Array>();
  #state: number;

  constructor(dim: number, seed = 1) {
    this.dim = dim;
    this.#state = seed;
  }

  /** The sum of four uniform numbers: close to a normal one, and cheap. */
  #next(): number {
    let sum = -2;
    for (let i = 0; i < 4; i++) {
      this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
      sum += this.#state / 2 ** 32;
    }
    return sum;
  }

  /** A new example of class `classIndex`. */
  example(classIndex: number): Float32Array<ArrayBuffer> {
    let centre = this.#centres.get(classIndex);
    if (centre === undefined) {
      centre = Float32Array.from({ length: this.dim }, () => this.#next());
      this.#centres.set(classIndex, centre);
    }
    const example = new Float32Array(this.dim);
    for (let j = 0; j < this.dim; j++) example[j] = centre[j] + SPREAD * this.#next();
    return example;
  }
}
