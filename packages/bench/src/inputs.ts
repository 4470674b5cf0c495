/** What the tables measure on: a model and photos that are not part of this repository. */

import { existsSync } from 'node:fs';
import path from 'node:path';

export interface BenchInputs {
  /** DeiT-Tiny, ONNX. */
  readonly modelFile: string;
  /** A folder of photos. */
  readonly photos: string;
}

/** The inputs beside the repository, or where IMPRINT_SHARED says. @throws Error that names what is missing */
export function benchInputs(root: string): BenchInputs {
  const shared = process.env['IMPRINT_SHARED'] ?? path.join(root, '../shared');
  const inputs = {
    modelFile: path.join(shared, 'models/deit_tiny_patch16_224.onnx'),
    photos: path.join(shared, 'photos/caltech101'),
  };
  for (const file of Object.values(inputs)) {
    if (!existsSync(file)) {
      throw new Error(
        `Expected ${file}, which is missing. Set IMPRINT_SHARED to a folder that has models/ and photos/.`,
      );
    }
  }
  return inputs;
}
