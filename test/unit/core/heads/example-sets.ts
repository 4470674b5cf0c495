/** Seeded example memories for the tests of heads: clusters of codes, small enough for naive references. */

import { encodeCodes } from '../../../../packages/core/src/memory/codes.ts';
import { memoryFromCodes } from '../../../../packages/core/src/memory/from-codes.ts';
import type { Memory } from '../../../../packages/core/src/memory/memory.ts';

export interface ClusterOptions {
  readonly counts: readonly number[];
  readonly taps?: number;
  readonly dim?: number;
  /** Size of the noise around each class's centre, whose entries lie in (-1, 1). */
  readonly spread?: number;
  readonly seed?: number;
}

/** Numbers in (-1, 1) from a seed. */
export function noise(seed: number): () => number {
  let state = (Math.imul(seed, 2654435761) ^ 0x5bd1e995) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Codes of `counts[c]` examples around a centre for each class c, in class order. */
export function clusterCodes({ counts, taps = 2, dim = 6, spread = 0.8, seed = 1 }: ClusterOptions): Int8Array {
  const next = noise(seed);
  const width = taps * dim;
  const centres = counts.map(() => Array.from({ length: width }, next));
  const rows = counts.flatMap((count, c) =>
    Array.from({ length: count }, () => centres[c].map((x) => x + spread * next())),
  );
  return encodeCodes(Float32Array.from(rows.flat()), rows.length, taps, dim);
}

export function clusterMemory(options: ClusterOptions): Memory {
  const owners = options.counts.flatMap((count, c) => Array<number>(count).fill(c));
  return memoryFromCodes(clusterCodes(options), owners, options.taps ?? 2, options.dim ?? 6);
}

/** `memory` without its example `row`; that example's class must have another. */
export function withoutRow(memory: Memory, row: number): Memory {
  const { codes, classIndices, width, taps, dim } = memory;
  const kept = Array.from(classIndices.keys()).filter((i) => i !== row);
  const rest = new Int8Array(kept.length * width);
  for (const [r, i] of kept.entries()) rest.set(codes.subarray(i * width, (i + 1) * width), r * width);
  return memoryFromCodes(
    rest,
    kept.map((i) => classIndices[i]),
    taps,
    dim,
  );
}

/** Solves `A X = B` by Gaussian elimination with pivoting; matrices as arrays of rows. The naive reference. */
export function solveNaively(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...b[i]]);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = rows[i][k] / rows[k][k];
      for (let j = k; j < rows[i].length; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  return rows.map((row, i) => row.slice(n).map((x) => x / row[i]));
}
