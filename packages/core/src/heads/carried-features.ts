/** Features of a classifier's examples, and their sums by class. */

import type { FitContext, Memory } from '../head.ts';
import type { Carried } from '../memory/carry.ts';
import { chosenRows } from '../memory/chosen-rows.ts';
import type { Projection } from '../projection/projection.ts';

/** Features copied or summed between two turns of the host. */
const TURN_FEATURES = 2 ** 20;

/** Features of all examples; those of examples that the last solve saw are copied. */
export async function carriedFeatures(
  projection: Projection,
  parameters: string,
  { codes, width, numExamples }: Memory,
  context: FitContext,
): Promise<Int8Array> {
  const carried = context.carry?.take<Int8Array>('features', parameters, codes, width);
  const features = carried
    ? await featuresFrom(projection, codes, width, carried, context)
    : await projection.project(codes, numExamples, context);
  context.carry?.put('features', parameters, codes, features);
  return features;
}

async function featuresFrom(
  projection: Projection,
  codes: Int8Array,
  width: number,
  { value: before, sources }: Carried<Int8Array>,
  context: FitContext,
): Promise<Int8Array> {
  const { numFeatures } = projection;
  const features = new Int8Array(sources.length * numFeatures);
  const fresh: number[] = [];
  const turnRows = Math.max(1, Math.floor(TURN_FEATURES / numFeatures));
  for (const [i, from] of sources.entries()) {
    if (from < 0) fresh.push(i);
    else features.set(before.subarray(from * numFeatures, (from + 1) * numFeatures), i * numFeatures);
    if ((i + 1) % turnRows === 0) await context.yieldToHost?.();
  }
  const chosen = chosenRows(codes, width, fresh);
  const projected = await projection.project(chosen, fresh.length, context);
  for (const [r, i] of fresh.entries()) {
    features.set(projected.subarray(r * numFeatures, (r + 1) * numFeatures), i * numFeatures);
  }
  return features;
}

/** Sums of the features of each class. Int32Array, numClasses x numFeatures. */
export async function sumsByClass(
  { classIndices, numClasses }: Memory,
  features: Int8Array,
  numFeatures: number,
  { yieldToHost }: FitContext,
): Promise<Int32Array> {
  const sums = new Int32Array(numClasses * numFeatures);
  const turnRows = Math.max(1, Math.floor(TURN_FEATURES / numFeatures));
  for (let i = 0, turn = 0; i < classIndices.length;) {
    const c = classIndices[i];
    const from = i * numFeatures;
    const to = c * numFeatures;
    // Examples of a class stand together: four of them for one sum read and written.
    if (classIndices[i + 3] === c) {
      const [second, third, fourth] = [from + numFeatures, from + 2 * numFeatures, from + 3 * numFeatures];
      for (let m = 0; m < numFeatures; m++) {
        sums[to + m] += features[from + m] + features[second + m] + features[third + m] + features[fourth + m];
      }
      i += 4;
    } else {
      for (let m = 0; m < numFeatures; m++) sums[to + m] += features[from + m];
      i++;
    }
    if (i - turn >= turnRows) {
      turn = i;
      await yieldToHost?.();
    }
  }
  return sums;
}
