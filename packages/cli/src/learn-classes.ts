/** Folders of pictures into a classifier: two classes at a time, so that decoding never waits for a class to end. */

import { ImprintError, type Classifier } from '@imprint/core';
import type { ImageInput } from '@imprint/node';
import type { LeftOut } from './left-out.ts';
import type { Progress } from './progress.ts';

export interface ClassFiles {
  readonly label: string;
  readonly files: readonly string[];
}

export interface LearnedClass {
  readonly label: string;
  readonly added: number;
  readonly duplicates: number;
}

export interface Learned {
  /** In the order given; a class without any readable picture is not among them. */
  readonly classes: readonly LearnedClass[];
  readonly leftOut: readonly LeftOut[];
}

const CLASSES_AT_ONCE = 2;

/**
 * Adds every class. An unreadable picture is left out; the order of work does not show in the result.
 * @throws NO_EXAMPLES where no picture of any class can be read; the signal's reason
 */
export async function learnClasses(
  classifier: Classifier<ImageInput>,
  classes: readonly ClassFiles[],
  progress: Progress,
  signal: AbortSignal,
): Promise<Learned> {
  const results: { learned?: LearnedClass; leftOut: LeftOut[] }[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < classes.length) {
      const position = next++;
      results[position] = await learnClass(classifier, classes[position], progress, signal);
    }
  };
  await Promise.all(Array.from({ length: CLASSES_AT_ONCE }, worker));
  const leftOut = results.flatMap((result) => result.leftOut);
  const learned = results.flatMap((result) => result.learned ?? []);
  if (learned.length === 0) {
    const cause = leftOut[0]?.error;
    throw new ImprintError(
      'NO_EXAMPLES',
      `Expected at least one readable image, got ${leftOut.length} that cannot be read. The first, ${leftOut[0]?.file}: ${cause?.message}`,
      { cause },
    );
  }
  return { classes: learned, leftOut };
}

async function learnClass(
  classifier: Classifier<ImageInput>,
  { label, files }: ClassFiles,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ learned?: LearnedClass; leftOut: LeftOut[] }> {
  const onProgress = (): void => progress.step();
  try {
    const { added, duplicates, unreadable } = await classifier.addClass(label, files, {
      signal,
      onProgress,
      onUnreadable: 'skip',
    });
    const leftOut = unreadable.map(({ index, error }) => ({ file: files[index], error }));
    return { learned: { label, added, duplicates }, leftOut };
  } catch (error) {
    if (!(error instanceof ImprintError && error.code === 'NO_EXAMPLES')) throw error;
    return { leftOut: await errorsOf(classifier, files, signal) };
  }
}

/** Each file's own error, asked one by one: a class without a readable picture fails as a whole and tells only the first. */
async function errorsOf(
  classifier: Classifier<ImageInput>,
  files: readonly string[],
  signal: AbortSignal,
): Promise<LeftOut[]> {
  const leftOut: LeftOut[] = [];
  for await (const item of classifier.backbone.embed(files, { signal })) {
    if ('error' in item) leftOut.push({ file: files[item.index], error: item.error });
  }
  return leftOut;
}
