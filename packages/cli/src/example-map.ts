/** Where the learned examples lie, for the report page. */

import { decodeSnapshot, embeddingMap, type Classifier } from '@imprint/core';
import type { ImageInput } from '@imprint/node';
import type { EmbeddingMapData } from './report/embedding-chart.ts';

/** Undefined where the classifier keeps sums only, or has fewer examples than a map needs. */
export function exampleMap(classifier: Classifier<ImageInput>): EmbeddingMapData | undefined {
  const view = decodeSnapshot(classifier.snapshot()).content.view();
  if (!('codes' in view) || view.numExamples < 3) return undefined;
  const { points, explained } = embeddingMap(view.codes, view.numExamples, view.width, view.dim);
  return { points, explained, trueIndices: view.classIndices };
}
