/** What reading a backbone yields: its manifest, its bytes with the taps exposed, and its identity. */

import { exposeTaps } from '@imprint/core';
import type { AbortSignalLike, Manifest, OnnxGraph, ReadyModel } from '@imprint/core';
import type { Progress } from './download-file.ts';
import type { Environment } from './model-cache.ts';
import type { FileContent } from './read-file.ts';

export interface ReadModelOptions {
  /** Which file where there are several: `fp32`, `fp16`, `int8`... Default: the manifest's own, else the most precise. */
  readonly precision?: string;
  /** Depths that become taps, where the manifest does not say: `all` (default) or the `last`. */
  readonly taps?: 'all' | 'last';
  readonly signal?: AbortSignalLike;
  /** Called while a hub backbone is downloaded. */
  readonly onProgress?: (progress: Progress) => void;
  /** Folder of downloaded backbones. Default: by XDG rules and IMPRINT_CACHE. */
  readonly cache?: string;
  /** Environment variables. Default: process.env. */
  readonly environment?: Environment;
}

/** The caller owns `bytes`. */
export interface ModelContent extends ReadyModel {
  /** Where the file lies. */
  readonly folder: string;
  /** What was assumed or is missing, a sentence each, for the person who chose the model. */
  readonly notes: readonly string[];
}

/** Exposes the taps and states the identity: the common end of every way to a model. */
export function finishModel(
  manifest: Manifest,
  content: FileContent,
  folder: string,
  notes: readonly string[],
  known?: OnnxGraph,
): ModelContent {
  return { ...exposeTaps(manifest, content.bytes, content.sha256, known), folder, notes };
}
