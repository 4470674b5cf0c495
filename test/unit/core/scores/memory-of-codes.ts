/** Memories for the tests of scores: seeded clusters of codes, and a memory without one of its examples. */

import type { Memory } from '../../../../packages/core/src/head.ts';
import { encodeCodes } from '../../../../packages/core/src/memory/codes.ts';
import { clusterEmbedding } from '../../../embeddings.ts';

/** The memory of `codes` (row-major) whose class indices ascend. */
export function memoryOfCodes(codes: Int8Array, classIndices: ArrayLike<number>, taps: number, dim: number): Memory {
  const width = taps * dim;
  const numExamples = classIndices.length;
  const numClasses = numExamples === 0 ? 0 : classIndices[numExamples - 1] + 1;
  const counts = new Int32Array(numClasses);
  const sums = new Float64Array(numClasses * width);
  for (let i = 0; i < numExamples; i++) {
    counts[classIndices[i]]++;
    for (let j = 0; j < width; j++) sums[classIndices[i] * width + j] += codes[i * width + j];
  }
  return {
    taps,
    dim,
    width,
    numClasses,
    numExamples,
    codes,
    classIndices: Int32Array.from(classIndices),
    counts,
    sums,
  };
}

/** Class k has `counts[k]` examples around its own centre. */
export function clusters(counts: readonly number[], taps: number, dim: number, spread = 0.6): Memory {
  const classIndices = counts.flatMap((count, k) => new Array<number>(count).fill(k));
  const width = taps * dim;
  const codes = new Int8Array(classIndices.length * width);
  classIndices.forEach((k, i) =>
    codes.set(encodeCodes(clusterEmbedding(k, i, width, spread), 1, taps, dim), i * width),
  );
  return memoryOfCodes(codes, classIndices, taps, dim);
}

/** The same memory had example `row` never been added; a class that it empties is gone. */
export function withoutRow(memory: Memory, row: number): Memory {
  const keep = Array.from({ length: memory.numExamples }, (_, i) => i).filter((i) => i !== row);
  const codes = new Int8Array(keep.length * memory.width);
  keep.forEach((i, at) => codes.set(codeOf(memory, i), at * memory.width));
  const emptied = memory.counts[memory.classIndices[row]] === 1 ? memory.classIndices[row] : Infinity;
  const classIndices = keep.map((i) => memory.classIndices[i] - (memory.classIndices[i] > emptied ? 1 : 0));
  return memoryOfCodes(codes, classIndices, memory.taps, memory.dim);
}

export function codeOf(memory: Memory, row: number): Int8Array {
  return memory.codes.subarray(row * memory.width, (row + 1) * memory.width);
}
