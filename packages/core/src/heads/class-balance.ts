/** Balanced priors: every class counts the same, however many examples it has. */

/**
 * Example weights `n / (C n_c)`: they average one, and each class's add up to the same.
 * @returns Float64Array, numExamples; the caller owns it
 */
export function balanceWeights(classIndices: Int32Array, counts: Int32Array): Float64Array {
  const share = classIndices.length / counts.length;
  return Float64Array.from(classIndices, (c) => share / counts[c]);
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
