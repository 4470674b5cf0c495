/** Whether there is anything to answer with. */

import { ImprintError, type Classifier } from '@imprint/core';
import type { ImageInput } from '@imprint/node';

/** @throws NO_CLASSES with the command that helps */
export function requireClasses(classifier: Classifier<ImageInput>, file: string): void {
  if (classifier.classes.length > 0) return;
  throw new ImprintError(
    'NO_CLASSES',
    `Expected at least one class in ${file}, got none. Add one: imprint add ${file} CLASS IMAGE...`,
  );
}
