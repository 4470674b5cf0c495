/**
 * Modules that core does not export, with their types: a change of theirs breaks a table when it is compiled, not when it is run.
 * `core-dist` is a path for types alone.
 */

import type * as ArcCosineKernel from 'core-dist/heads/arc-cosine-kernel.js';
import type * as DualList from 'core-dist/heads/dual-list.js';
import type * as DualRidge from 'core-dist/heads/dual-ridge.js';
import type * as ProjectedRidge from 'core-dist/heads/projected-ridge.js';
import type * as Cholesky from 'core-dist/linalg/cholesky.js';
import type * as FromCodes from 'core-dist/memory/from-codes.js';
import type * as RademacherRelu from 'core-dist/projection/rademacher-relu.js';
import type * as Nearest from 'core-dist/scores/nearest.js';

interface CoreModules {
  'heads/arc-cosine-kernel.js': typeof ArcCosineKernel;
  'heads/dual-list.js': typeof DualList;
  'heads/dual-ridge.js': typeof DualRidge;
  'heads/projected-ridge.js': typeof ProjectedRidge;
  'linalg/cholesky.js': typeof Cholesky;
  'memory/from-codes.js': typeof FromCodes;
  'projection/rademacher-relu.js': typeof RademacherRelu;
  'scores/nearest.js': typeof Nearest;
}

/** The URL of a file of core's `dist`, which has the modules beside the bundle that Node loads. */
export function coreFile(file: string): string {
  return new URL(`dist/${file}`, import.meta.resolve('@imprint/core/package.json')).href;
}

/** @param file of core's `dist` */
export async function coreModule<File extends keyof CoreModules>(file: File): Promise<CoreModules[File]> {
  return (await import(coreFile(file))) as CoreModules[File];
}
