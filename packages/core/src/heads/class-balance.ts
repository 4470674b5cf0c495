/** Balanced priors: every class counts the same, however many examples it has. */

/**
 * Example weights `n / (C n_c)`: they average one, and each class's add up to the same.
 * @returns Float64Array, numExamples; the caller owns it
 */
export function balanceWeights(classIndices: Int32Array, counts: Int32Array): Float64Array {
  const share = classIndices.length / counts.length;
  return Float64Array.from(classIndices, (c) => share / counts[c]);
}

/**
 * The same weights as integers, but for one common factor: `round(2^p / n_c)`. Sums of products of int8 features with them
 * are exact in f64: each class weighs about 2^p, a product 2^14, and p leaves C of them below 2^53. An example of n_c alike
 * is off by n_c / 2^(p + 1) of its weight at most.
 * @returns Float64Array, numExamples; the caller owns it
 */
export function integerBalanceWeights(classIndices: Int32Array, counts: Int32Array): Float64Array {
  const bits = Math.min(26, 38 - Math.ceil(Math.log2(counts.length)));
  const byClass = Float64Array.from(counts, (count) => Math.max(1, Math.round(2 ** bits / count)));
  return Float64Array.from(classIndices, (c) => byClass[c]);
}

/** Harmonic mean of the examples per class: a few large classes do not hide that most have one example. */
export function typicalShots(counts: Int32Array): number {
  let inverse = 0;
  for (const count of counts) inverse += 1 / count;
  return counts.length / inverse;
}

/**
 * Class means of codes. Float64Array, numClasses x width, row-major; the caller owns it.
 * @param sums Float64Array, numClasses x width
 */
export function classMeans(sums: Float64Array, counts: Int32Array, width: number): Float64Array {
  const means = sums.slice();
  for (let c = 0; c < counts.length; c++) {
    const inverse = 1 / counts[c];
    for (let i = c * width; i < (c + 1) * width; i++) means[i] *= inverse;
  }
  return means;
}
