/** One set of examples learned by Imprint and by tfjs's knn-classifier, ready to be asked. */

import { Classifier, readyEmbeddings, type ReadyEmbedding } from '@imprint/core';
import { createOrtGemm } from '@imprint/node';
import { SeededEmbeddings } from './seeded-embeddings.ts';

export interface Examples {
  readonly numClasses: number;
  readonly shots: number;
  readonly dim: number;
}

/** Asks one query after the other, as an app does. @returns milliseconds a query */
export type Ask = (queries: readonly Float32Array[], numQueries: number) => Promise<number>;

/** Examples class by class, the same for whoever asks. */
export function* examplesOf({ numClasses, shots, dim }: Examples): Generator<[string, Float32Array<ArrayBuffer>[]]> {
  const embeddings = new SeededEmbeddings(dim);
  for (let c = 0; c < numClasses; c++) {
    yield [`class ${c}`, Array.from({ length: shots }, () => embeddings.example(c))];
  }
}

export async function askImprint(
  examples: Examples,
  head: string,
  options: { readonly nearest?: number } = {},
): Promise<Ask> {
  const backbone = readyEmbeddings({ name: 'seeded', dim: examples.dim });
  const classifier = new Classifier<ReadyEmbedding>(backbone, { head, gemm: await createOrtGemm() });
  for (const [label, embeddings] of examplesOf(examples)) {
    await classifier.addClass(
      label,
      embeddings.map((embedding) => ({ embedding })),
    );
  }
  return async (queries, numQueries) => {
    const start = performance.now();
    for (let q = 0; q < numQueries; q++) await classifier.classify({ embedding: queries[q] as Float32Array }, options);
    return (performance.now() - start) / numQueries;
  };
}

/** tfjs in plain JavaScript, the backend it has in Node without a native package; k of ten, as in its demo. */
export async function askTfjs(examples: Examples): Promise<Ask> {
  const tf = await import('@tensorflow/tfjs');
  const knn = await import('@tensorflow-models/knn-classifier');
  await tf.setBackend('cpu');
  const classifier = knn.create();
  for (const [label, embeddings] of examplesOf(examples)) {
    for (const embedding of embeddings) tf.tidy(() => classifier.addExample(tf.tensor1d(embedding), label));
  }
  return async (queries, numQueries) => {
    const start = performance.now();
    for (let q = 0; q < numQueries; q++) {
      const query = tf.tensor1d(queries[q]);
      await classifier.predictClass(query, 10);
      query.dispose();
    }
    return (performance.now() - start) / numQueries;
  };
}
