/** Reads a hub backbone: fetched into the cache, checked against its locked digest, its taps found in its graph. */

import { readModelGraph } from '@imprint/core';
import type { Manifest } from '@imprint/core';
import { fetchModel, hubUrl } from './fetch-model.ts';
import type { HubManifest } from './hub-manifest.ts';
import { finishModel } from './model-content.ts';
import type { ModelContent, ReadModelOptions } from './model-content.ts';
import { modelFolder, cacheFolder } from './model-cache.ts';
import { proposeManifest } from './propose-manifest.ts';
import { checkContent, readWithSha256 } from './read-file.ts';

/** Reads `manifest`'s model, downloading it first where the cache lacks it (see fetchModel for how it is trusted). */
export async function readHubModel(manifest: HubManifest, options: ReadModelOptions = {}): Promise<ModelContent> {
  const { environment = process.env } = options;
  const cache = options.cache ?? cacheFolder(environment);
  const { path, locked, precision } = await fetchModel(manifest, { ...options, cache });
  const { file } = manifest.files[precision];
  const { sizeBytes, sha256, revision } = locked;
  const content = await readWithSha256(path, options.signal);
  checkContent(
    content,
    { file, sizeBytes, sha256 },
    path,
    `Run \`imprint models remove ${manifest.name}\`, then fetch it again.`,
  );
  const graph = readModelGraph(content.bytes);
  const { pooling, tensor, dim } = manifest.output;
  const { input, output, notes } = proposeManifest(graph, {
    preprocessing: manifest.input,
    dim,
    ...(options.taps && { taps: options.taps }),
    ...(pooling !== 'none' && { pooling }),
    ...(tensor !== undefined && { tensor }),
  });
  const resolved: Manifest = {
    name: manifest.name,
    version: 1,
    file,
    sizeBytes,
    sha256,
    url: `${hubUrl(environment)}/${manifest.repository}/resolve/${revision}/${file}`,
    revision,
    licence: manifest.licence,
    input: { ...input, ...manifest.input, name: input.name },
    output,
  };
  return finishModel(resolved, content, modelFolder(cache, manifest.name), notes, graph);
}
