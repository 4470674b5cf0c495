/** Seeded embeddings for tests: small Gaussian clusters, the same on every machine. */

import { encodeCodes } from '../packages/core/src/memory/codes.ts';
import { ExampleMemory } from '../packages/core/src/memory/example-memory.ts';

/** A seeded generator of numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** About normal: the sum of twelve uniforms less six. */
export function gaussian(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}

/** The embedding of example `example` of cluster `cluster`: one of `spread` around the cluster's own centre. */
export function clusterEmbedding(cluster: number, example: number, width: number, spread = 0.5): Float32Array {
  const centre = seededRandom(7919 * (cluster + 1));
  const noise = seededRandom(104729 * (cluster + 1) + example + 1);
  return Float32Array.from({ length: width }, () => gaussian(centre) + spread * gaussian(noise));
}

/** A memory of `counts.length` classes named c0, c1, ... with `counts[k]` examples each. */
export function clusterMemory(counts: readonly number[], taps: number, dim: number, spread = 0.5): ExampleMemory {
  const memory = new ExampleMemory(taps, dim);
  counts.forEach((count, cluster) => {
    const examples = Array.from({ length: count }, (_, example) => ({
      id: `e${example}`,
      source: undefined,
      codes: encodeCodes(clusterEmbedding(cluster, example, taps * dim, spread), 1, taps, dim),
    }));
    memory.add(`c${cluster}`, examples);
  });
  return memory;
}
