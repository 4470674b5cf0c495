/** Which backbone a classifier's codes came from, and whether another one may read them. */

import type { BackboneIdentity, Preprocessing } from '../backbone.ts';
import { ImprintError } from '../errors.ts';
import { invalid } from './safetensors.ts';
import { MOST_NUMBERS } from '../memory/codes.ts';

/** Checks a parsed identity. @throws SNAPSHOT_INVALID */
export function checkIdentity(value: unknown): BackboneIdentity {
  const { name, sha256, dim, taps, preprocessing } = (value ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string' || typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw invalid('it does not name its backbone');
  }
  const isWide = !isCount(dim) || !Array.isArray(taps) || dim * taps.length > MOST_NUMBERS;
  if (isWide || taps.length === 0 || !taps.every((tap) => typeof tap === 'string')) {
    throw invalid("its backbone's dimension or taps are not understood");
  }
  const base = { name, sha256, dim, taps: taps as string[] };
  return preprocessing === undefined ? base : { ...base, preprocessing: checkPreprocessing(preprocessing) };
}

/**
 * Refuses a backbone whose embeddings are not those of the codes.
 * @param saved the identity in the snapshot
 * @param present the backbone at hand
 * @throws BACKBONE_MISMATCH with the difference and the next step
 */
export function requireSameBackbone(saved: BackboneIdentity, present: BackboneIdentity): void {
  const difference =
    saved.sha256 !== present.sha256
      ? `model ${saved.sha256.slice(0, 12)} against ${present.sha256.slice(0, 12)}`
      : saved.dim !== present.dim || String(saved.taps) !== String(present.taps)
        ? `${saved.taps.length} x ${saved.dim} numbers an example against ${present.taps.length} x ${present.dim}`
        : preprocessingKey(saved) !== preprocessingKey(present)
          ? 'the same model with other preprocessing'
          : undefined;
  if (difference !== undefined) {
    throw new ImprintError(
      'BACKBONE_MISMATCH',
      `Expected the backbone ${JSON.stringify(saved.name)} that this classifier was learned with, got ${JSON.stringify(present.name)} (${difference}). Open it with that backbone, or learn it again from the photos.`,
    );
  }
}

function preprocessingKey({ preprocessing }: BackboneIdentity): string {
  if (preprocessing === undefined) return 'none';
  const { size, resize, resample, mean, std } = preprocessing;
  return [size, resize, resample, ...mean, ...std].join();
}

function checkPreprocessing(value: unknown): Preprocessing {
  const { size, resize, resample, mean, std } = (value ?? {}) as Record<string, unknown>;
  if (
    !isCount(size) ||
    !isCount(resize) ||
    (resample !== 'bicubic' && resample !== 'bilinear') ||
    !isChannels(mean) ||
    !isChannels(std)
  ) {
    throw invalid("its backbone's preprocessing is not understood");
  }
  return { size, resize, resample, mean, std };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isChannels(value: unknown): value is [number, number, number] {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    value.every((item) => typeof item === 'number' && Number.isFinite(item))
  );
}
