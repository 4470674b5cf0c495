/** Reads a backbone's manifest and model from their URLs, checked and ready to run. */

import { identityOf, loadSeldom, parseManifest, type ReadyModel } from '@imprint/core';
import type { AssetUrls } from '../protocol.ts';
import { fetchAsset, requireSha256 } from './fetch-asset.ts';

/** @throws BACKBONE_NOT_FOUND, BACKBONE_INVALID */
export async function loadModel({ manifest: manifestUrl, model }: AssetUrls): Promise<ReadyModel> {
  const fetchModel = (url: string) => fetchAsset(url, "the backbone's model");
  // The embedded model's address is known before its manifest: both come at once.
  const [text, early] = await Promise.all([
    fetchAsset(manifestUrl, "the backbone's manifest"),
    model === undefined ? undefined : fetchModel(model),
  ]);
  const manifest = parseManifest(new TextDecoder().decode(text), manifestUrl);
  const url = model ?? new URL(manifest.file, manifestUrl).href;
  const bytes = early ?? (await fetchModel(url));
  await requireSha256(bytes, manifest, url);
  // The embedded model gives its taps as they are; in others they may be tensors inside.
  if (model !== undefined && manifest.output.name !== undefined) {
    return { manifest, bytes, identity: identityOf(manifest, manifest.sha256) };
  }
  const { exposeTaps } = await loadSeldom();
  return exposeTaps(manifest, bytes, manifest.sha256);
}
