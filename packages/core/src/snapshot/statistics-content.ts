/** The content of a classifier that keeps sums only, as tensors and back. The Gram matrix is symmetric: one triangle is written. */

import { ClassStatistics, MOST_EXAMPLES, type StatisticsView } from '../memory/class-statistics.ts';
import { LARGEST_CODE } from '../memory/codes.ts';
import type { EncodedContent } from './examples-content.ts';
import { bytesOf, invalid, type Tensor } from './safetensors.ts';
import { aligned, take } from './take.ts';

export function encodeStatistics(view: StatisticsView): EncodedContent {
  const { taps, dim, width, numClasses } = view;
  const triangle = new Float64Array((width * (width + 1)) / 2);
  for (let i = 0, at = 0; i < width; at += i + 1, i++) {
    triangle.set(view.gram.subarray(i * width, i * width + i + 1), at);
  }
  const tensors = new Map<string, Tensor>([
    ['class_counts', { type: 'I32', shape: [numClasses], bytes: bytesOf(view.counts) }],
    ['class_sums', { type: 'F64', shape: [numClasses, taps, dim], bytes: bytesOf(view.sums) }],
    ['gram_lower', { type: 'F64', shape: [triangle.length], bytes: bytesOf(triangle) }],
  ]);
  return { memory: 'statistics', labels: view.labels, tensors };
}

/** @param labels in canonical order, none twice @throws SNAPSHOT_INVALID where the parts do not fit together */
export function decodeStatistics(
  labels: readonly string[],
  taps: number,
  dim: number,
  tensors: ReadonlyMap<string, Tensor>,
): ClassStatistics {
  const width = taps * dim;
  const numClasses = labels.length;
  const counts = new Int32Array(aligned(take(tensors, 'class_counts', 'I32', [numClasses]).bytes));
  const sums = new Float64Array(aligned(take(tensors, 'class_sums', 'F64', [numClasses, taps, dim]).bytes));
  const size = (width * (width + 1)) / 2;
  const triangle = new Float64Array(aligned(take(tensors, 'gram_lower', 'F64', [size]).bytes));
  if (counts.some((count) => count < 1)) throw invalid('a class in it is empty');
  if (!sums.every(Number.isInteger) || !triangle.every(Number.isInteger)) throw invalid('its sums are no integers');
  const numExamples = counts.reduce((sum, count) => sum + count, 0);
  if (numExamples > MOST_EXAMPLES) throw invalid(`it speaks of ${numExamples} examples`);
  const isPossible =
    sums.every((sum, at) => Math.abs(sum) <= LARGEST_CODE * counts[Math.floor(at / width)]) &&
    triangle.every((sum) => Math.abs(sum) <= LARGEST_CODE ** 2 * numExamples);
  if (!isPossible) throw invalid('its sums are larger than any examples add up to');

  const gram = new Float64Array(width * width);
  for (let i = 0, at = 0; i < width; i++) {
    for (let j = 0; j <= i; j++, at++) {
      gram[i * width + j] = triangle[at];
      gram[j * width + i] = triangle[at];
    }
  }
  return ClassStatistics.of({ taps, dim, width, numClasses, numExamples, counts, sums, gram, labels });
}
