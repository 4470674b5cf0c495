/** A read-only memory straight from codes, for evaluation: examples sorted by class, sums counted once. */

import { expected } from '../errors.ts';
import type { Memory } from './memory.ts';

/**
 * Sorts examples by class (keeping their order within one) and sums their codes.
 * @param codes Int8Array, n x taps x dim, row-major; not changed
 * @param classIndices n class indices; every class from 0 to the largest must have an example
 */
export function memoryFromCodes(codes: Int8Array, classIndices: ArrayLike<number>, taps: number, dim: number): Memory {
  const width = taps * dim;
  const numExamples = classIndices.length;
  if (codes.length !== numExamples * width) {
    throw expected('codes', `${numExamples} x ${taps} x ${dim} values`, codes);
  }
  const order = Array.from({ length: numExamples }, (_, i) => i).sort(
    (a, b) => classIndices[a] - classIndices[b] || a - b,
  );
  const numClasses = numExamples === 0 ? 0 : classIndices[order[numExamples - 1]] + 1;
  const sortedCodes = new Int8Array(codes.length);
  const sortedIndices = new Int32Array(numExamples);
  const counts = new Int32Array(numClasses);
  const sums = new Float64Array(numClasses * width);
  for (const [row, i] of order.entries()) {
    const own = classIndices[i];
    sortedCodes.set(codes.subarray(i * width, (i + 1) * width), row * width);
    sortedIndices[row] = own;
    counts[own]++;
    for (let j = 0; j < width; j++) sums[own * width + j] += codes[i * width + j];
  }
  const empty = counts.indexOf(0);
  if (empty >= 0)
    throw expected(
      'classIndices',
      `an example of every class from 0 to ${numClasses - 1}`,
      empty,
      'Number the classes without gaps.',
    );
  return { taps, dim, width, numClasses, numExamples, codes: sortedCodes, classIndices: sortedIndices, counts, sums };
}
