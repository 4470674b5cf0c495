/** DeiT-Tiny embeddings that lie beside the repository, where they do. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const shared = path.resolve(process.env['IMPRINT_SHARED'] ?? path.join(import.meta.dirname, '../../../../shared'));
const folder = path.join(shared, 'features');

/** Empty where the features are at hand, else what the name of a skipped test says. */
export const missing = existsSync(folder) ? '' : ` (skipped: no features in ${folder})`;

export interface Split {
  readonly shots: number;
  readonly train: number[];
  readonly test: number[];
}

export interface Features {
  readonly count: number;
  readonly taps: number;
  readonly dim: number;
  readonly labels: readonly (number | string)[];
  readonly classNames: readonly string[];
  /** Float32Array, count x taps x dim. */
  readonly values: Float32Array;
  readonly splits: Split[];
}

export function readFeatures(name: string): Features {
  const file = path.join(folder, `deit_tiny.${name}`);
  const { shape, labels, classNames } = JSON.parse(readFileSync(`${file}.json`, 'utf8'));
  const [count, taps, dim] = shape.length === 3 ? shape : [shape[0], 1, shape[1]];
  const bytes = readFileSync(`${file}.f32.bin`);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const splits = `${file}.splits.json`;
  return {
    count,
    taps,
    dim,
    labels,
    classNames,
    values,
    splits: existsSync(splits) ? JSON.parse(readFileSync(splits, 'utf8')) : [],
  };
}
