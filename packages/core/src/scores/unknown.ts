/** Is an input like anything learned: the novelty score and its p-values, fitted together. */

import type { FitContext, Memory } from '../head.ts';
import type { FittedNovelty, NoveltyScore } from './novelty.ts';
import { noveltyPValuesInto, noveltyReference, type NoveltyReference } from './novelty-p-value.ts';
import { whitenedMemory } from './novelty/whitened-memory.ts';
import { SameClassPrior } from './same-class-prior.ts';

export interface UnknownDetector {
  /** The novelty score's name. */
  readonly score: string;
  readonly novelty: FittedNovelty;
  readonly reference: NoveltyReference;
  /**
   * Raw strangeness (higher is stranger) and p-value (small is strange) of queries.
   * @param codes Int8Array, numQueries x width, row-major
   * @param strangeness Float64Array, numQueries, overwritten
   * @param pValues Float64Array, numQueries, overwritten
   */
  detectInto(codes: Int8Array, numQueries: number, strangeness: Float64Array, pValues: Float64Array): void;
}

/** Fits a novelty score, by default the one that measured best, and its leave-one-out reference. */
export async function fitUnknownDetector(
  memory: Memory,
  context: FitContext,
  score: NoveltyScore = whitenedMemory,
): Promise<UnknownDetector> {
  const novelty = await score.fit(memory, context);
  await context.yieldToHost?.();
  const reference = await noveltyReference(novelty, memory, context);
  const prior = await SameClassPrior.of(memory, context);
  return {
    score: score.name,
    novelty,
    reference,
    detectInto(codes, numQueries, strangeness, pValues) {
      novelty.strangenessInto(codes, numQueries, strangeness);
      noveltyPValuesInto(reference, strangeness, numQueries, pValues);
      prior?.poolInto(codes, memory.width, numQueries, pValues);
    },
  };
}
