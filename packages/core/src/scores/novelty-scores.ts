/** Every novelty score by name, the default first. */

import type { NoveltyScore } from './novelty.ts';
import { cosinePrototype } from './novelty/cosine-prototype.ts';
import { mahalanobis, relativeMahalanobis } from './novelty/mahalanobis.ts';
import { nearestExamplesNovelty } from './novelty/nearest-examples.ts';
import { sparseMemory } from './novelty/sparse-memory.ts';
import { virtualLogit } from './novelty/virtual-logit.ts';
import { whitenedMemory } from './novelty/whitened-memory.ts';

export const noveltyScores: readonly NoveltyScore[] = [
  whitenedMemory,
  cosinePrototype,
  nearestExamplesNovelty(),
  mahalanobis,
  relativeMahalanobis,
  virtualLogit,
  sparseMemory(),
];
