/** Scores that are linear in the codes: one weight vector and one offset a class. */

/** `score_c = sum_j weights[c, j] q_j + offsets[c]`, over the codes as they are stored. */
export interface LinearScores {
  readonly width: number;
  readonly numClasses: number;
  /** Float64Array, numClasses x width, row-major. */
  readonly weights: Float64Array;
  /** Float64Array, numClasses. */
  readonly offsets: Float64Array;
}

/**
 * Scores of queries, four classes at a time; each sum runs in ascending order, so batching changes no bit.
 * @param codes Int8Array, numQueries x width
 * @param out Float64Array, numQueries x numClasses, overwritten
 */
export function linearScoresInto(linear: LinearScores, codes: Int8Array, numQueries: number, out: Float64Array): void {
  const { width, numClasses, weights, offsets } = linear;
  for (let q = 0; q < numQueries; q++) {
    const from = q * width;
    for (let c = 0; c < numClasses; c += 4) {
      const left = numClasses - c;
      const w0 = c * width;
      const w1 = left > 1 ? w0 + width : w0;
      const w2 = left > 2 ? w1 + width : w0;
      const w3 = left > 3 ? w2 + width : w0;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let j = 0; j < width; j++) {
        const x = codes[from + j];
        s0 += x * weights[w0 + j];
        s1 += x * weights[w1 + j];
        s2 += x * weights[w2 + j];
        s3 += x * weights[w3 + j];
      }
      const at = q * numClasses + c;
      out[at] = s0 + offsets[c];
      if (left > 1) out[at + 1] = s1 + offsets[c + 1];
      if (left > 2) out[at + 2] = s2 + offsets[c + 2];
      if (left > 3) out[at + 3] = s3 + offsets[c + 3];
    }
  }
}
