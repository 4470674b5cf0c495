/** Verifies backbones: each file against its digest, and each precision against the most precise one by its canary. */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CANARY_COSINE, ImprintError, parseManifest, smallestCosine } from '@imprint/core';
import { openSession } from '../backbone-session.ts';
import { cachedPrecisions } from './fetch-model.ts';
import { listHubManifests } from './hub-manifest.ts';
import type { ModelContent, ReadModelOptions } from './model-content.ts';
import { readModel } from './read-model.ts';
import { listPrecisions } from './transformers-folder.ts';

/** Half precision must be this close to f32, in every tap; other precisions need CANARY_COSINE. */
const HALF_COSINE = 0.999;

export interface VerifiedPrecision {
  /** `default` where the file has no named precision. */
  readonly precision: string;
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Smallest cosine over the taps to the reference's embedding of the canary picture; absent for the reference itself. */
  readonly cosine?: number;
  /** The cosine that is asked of this precision. */
  readonly least?: number;
  /** What the cosine is to: another precision, or the embedding stored in the manifest. */
  readonly reference?: string;
  readonly isAccurate: boolean;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** The precisions of a backbone that are here, most precise first; undefined stands for a file without a named one. */
async function precisionsHere(
  nameOrPath: string | undefined,
  options: ReadModelOptions,
): Promise<(string | undefined)[]> {
  const hub = nameOrPath === undefined ? undefined : (await listHubManifests()).get(nameOrPath);
  if (hub) {
    const cached = [...(await cachedPrecisions(hub, options)).keys()];
    if (cached.length > 0) return cached;
    throw new ImprintError(
      'BACKBONE_NOT_FOUND',
      `Expected ${hub.name} in the cache, found none of it. Fetch it: imprint models fetch ${hub.name}.`,
    );
  }
  if (nameOrPath === undefined) return [undefined];
  const manifest = join(nameOrPath, 'manifest.json');
  if (await isFile(manifest))
    return [undefined, ...Object.keys(parseManifest(await readFile(manifest, 'utf8'), manifest).variants ?? {})];
  if (await isFile(join(nameOrPath, 'config.json'))) return [...(await listPrecisions(nameOrPath)).keys()];
  return [undefined];
}

async function canaryOf(model: ModelContent): Promise<Float32Array> {
  const session = await openSession(model.bytes, model.manifest, { device: 'cpu', numThreads: 1, batchSize: 1 });
  try {
    return await session.canary();
  } finally {
    await session.release();
  }
}

/**
 * Reads every precision of a backbone that is here, which checks its bytes, and runs the canary picture through each on
 * the CPU. The reference is the manifest's stored embedding, else the most precise file. Downloads nothing.
 *
 * @param nameOrPath as for readModel
 * @throws what readModel throws for a damaged file; an inaccurate precision is no error but `isAccurate: false`
 */
export async function verifyModel(
  nameOrPath?: string,
  options: Omit<ReadModelOptions, 'precision'> = {},
): Promise<VerifiedPrecision[]> {
  const verified: VerifiedPrecision[] = [];
  let reference: { name: string; embedding: ArrayLike<number> } | undefined;
  for (const precision of await precisionsHere(nameOrPath, options)) {
    options.signal?.throwIfAborted();
    const model = await readModel(nameOrPath, { ...options, ...(precision !== undefined && { precision }) });
    const { file, sizeBytes, sha256, canary, output } = model.manifest;
    const name = precision ?? 'default';
    const embedding = await canaryOf(model);
    if (canary && reference === undefined) reference = { name: 'the stored canary', embedding: canary.embedding };
    const entry = { precision: name, file, sizeBytes, sha256 };
    if (reference === undefined) {
      reference = { name, embedding };
      verified.push({ ...entry, isAccurate: embedding.every(Number.isFinite) });
      continue;
    }
    const cosine = smallestCosine(embedding, reference.embedding, output.dim);
    const least = name === 'fp16' ? HALF_COSINE : CANARY_COSINE;
    verified.push({ ...entry, cosine, least, reference: reference.name, isAccurate: cosine >= least });
  }
  return verified;
}
