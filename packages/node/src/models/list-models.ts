/** The backbones that have a name: the embedded one and those of the hub, with what of them lies in the cache. */

import { ImprintError } from '@imprint/core';
import { fetchModel, removeModel, whatIsCached } from './fetch-model.ts';
import type { FetchedModel, FetchOptions } from './fetch-model.ts';
import { listHubManifests } from './hub-manifest.ts';
import type { HubManifest } from './hub-manifest.ts';
import type { Environment } from './model-cache.ts';
import { EMBEDDED_NAME, readModel } from './read-model.ts';

export interface ModelFileEntry {
  /** `fp32`, `fp16`, `int8`; `default` for the embedded backbone's only file. */
  readonly precision: string;
  /** Null where the hub has not been asked yet. */
  readonly sizeBytes: number | null;
  /** Null where the hub has not been asked yet. */
  readonly sha256: string | null;
  readonly isCached: boolean;
}

export interface ModelEntry {
  readonly name: string;
  readonly kind: 'embedded' | 'hub';
  readonly licence: string;
  /** Numbers in a tap. */
  readonly dim: number;
  /** Side of the picture that it sees, in pixels. */
  readonly size: number;
  /** How the last layer becomes one vector: `cls+mean` are two taps. */
  readonly pooling: string;
  /** `owner/name` at the hub. */
  readonly repository?: string;
  /** The commit that is pinned; null where the first fetch pins it. */
  readonly revision?: string | null;
  readonly files: readonly ModelFileEntry[];
  /** Why it cannot be told which files are in the cache, where it cannot; they then count as not there. */
  readonly error?: string;
}

export interface ListOptions {
  readonly cache?: string;
  readonly environment?: Environment;
}

async function embeddedEntry(): Promise<ModelEntry | undefined> {
  try {
    const { manifest, identity } = await readModel(EMBEDDED_NAME);
    const { sizeBytes, sha256, licence, input } = manifest;
    const files = [{ precision: 'default', sizeBytes, sha256, isCached: true }];
    return {
      name: EMBEDDED_NAME,
      kind: 'embedded',
      licence,
      dim: identity.dim,
      size: input.size,
      pooling: identity.taps.join(', '),
      files,
    };
  } catch (error) {
    // An installation without the package still has the others; readModel says what is wrong with this one.
    if (error instanceof ImprintError && error.code === 'BACKBONE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function hubEntry(manifest: HubManifest, options: ListOptions): Promise<ModelEntry> {
  const { cached, error } = await whatIsCached(manifest, options);
  const files = Object.entries(manifest.files).map(([precision, file]) => {
    const locked = cached.get(precision);
    const { sizeBytes, sha256 } = locked ?? file;
    return { precision, sizeBytes, sha256, isCached: locked !== undefined };
  });
  const { name, licence, repository, revision, input, output } = manifest;
  return {
    name,
    kind: 'hub',
    licence,
    dim: output.dim,
    size: input.size,
    pooling: output.pooling,
    repository,
    revision,
    files,
    ...(error !== undefined && { error }),
  };
}

/** All named backbones, the embedded one first. Asks no server. */
export async function listModels(options: ListOptions = {}): Promise<ModelEntry[]> {
  const embedded = await embeddedEntry();
  const hub = await Promise.all(
    [...(await listHubManifests()).values()].map((manifest) => hubEntry(manifest, options)),
  );
  return embedded ? [embedded, ...hub] : hub;
}

async function hubManifest(name: string): Promise<HubManifest> {
  const manifests = await listHubManifests();
  const manifest = manifests.get(name);
  if (manifest) return manifest;
  const next =
    name === EMBEDDED_NAME
      ? 'It comes with Imprint and needs no fetching'
      : `The names are ${[...manifests.keys()].join(', ')}`;
  throw new ImprintError('BACKBONE_NOT_FOUND', `Expected the name of a hub backbone, got "${name}". ${next}.`);
}

/** Downloads the hub backbone `name` into the cache: see fetchModel for how it is resumed, shared, verified and locked. */
export async function fetchNamedModel(name: string, options: FetchOptions = {}): Promise<FetchedModel> {
  return fetchModel(await hubManifest(name), options);
}

/**
 * Removes the hub backbone `name` from the cache.
 * @returns the bytes that were freed
 */
export async function removeNamedModel(
  name: string,
  options: ListOptions & { unlock?: boolean } = {},
): Promise<number> {
  await hubManifest(name);
  return removeModel(name, options);
}
