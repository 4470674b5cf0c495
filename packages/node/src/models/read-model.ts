/** Finds a backbone by name or path and reads it, checked and ready to run: the embedded one, a folder, or a bare ONNX file. */

import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ImprintError, parseManifest, readModelGraph } from '@imprint/core';
import type { Manifest, ManifestFile } from '@imprint/core';
import { finishModel } from './model-content.ts';
import type { ModelContent, ReadModelOptions } from './model-content.ts';
import { proposeManifest } from './propose-manifest.ts';
import { checkContent, readError, readWithSha256 } from './read-file.ts';
import { listHubManifests } from './hub-manifest.ts';
import { readHubModel } from './read-hub-model.ts';
import { readTransformersFolder } from './transformers-folder.ts';
import { ownRequire } from '../own-files.ts';
import { readRegularFile } from '../regular-file.ts';

/** The backbone that comes with Imprint. */
export const EMBEDDED_NAME = 'imprint-tiny';

async function kindOf(path: string): Promise<'file' | 'folder' | 'missing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    const error = readError(path, cause, 'BACKBONE_NOT_FOUND');
    if (error.code === 'BACKBONE_NOT_FOUND') return 'missing';
    throw error;
  }
}

/** The file of `manifest` in the wished precision. */
function chooseFile(manifest: Manifest, precision: string | undefined): ManifestFile {
  if (precision === undefined) return manifest;
  const variants = new Map(Object.entries(manifest.variants ?? {}));
  const found = variants.get(precision);
  if (found) return found;
  throw new ImprintError(
    'BACKBONE_NOT_FOUND',
    `Expected a precision that ${manifest.name} comes in, got "${precision}". It comes in ${[...variants.keys()].join(', ') || 'one file without a named precision'}.`,
  );
}

/** Reads the model that the manifest at `path` describes. */
export async function readManifestModel(path: string, options: ReadModelOptions = {}): Promise<ModelContent> {
  let text: string;
  try {
    text = (await readRegularFile(path)).toString('utf8');
  } catch (cause) {
    throw readError(path, cause, 'BACKBONE_NOT_FOUND');
  }
  const manifest = parseManifest(text, path);
  const folder = dirname(path);
  const chosen = chooseFile(manifest, options.precision);
  const file = join(folder, chosen.file);
  const content = await readWithSha256(file, options.signal);
  checkContent(content, chosen, file);
  const { file: name, sizeBytes, sha256 } = chosen;
  return finishModel({ ...manifest, file: name, sizeBytes, sha256 }, content, folder, []);
}

async function readBareModel(path: string, options: ReadModelOptions): Promise<ModelContent> {
  const folder = dirname(path);
  const content = await readWithSha256(path, options.signal);
  const graph = readModelGraph(content.bytes);
  const { input, output, notes } = proposeManifest(graph, { ...(options.taps && { taps: options.taps }) });
  const manifest: Manifest = {
    name: basename(path).replace(/\.onnx$/i, ''),
    version: 1,
    file: basename(path),
    sizeBytes: content.bytes.length,
    sha256: content.sha256,
    licence: 'not stated',
    input,
    output,
  };
  return finishModel(manifest, content, folder, notes, graph);
}

async function readFolder(folder: string, options: ReadModelOptions): Promise<ModelContent> {
  const entries = await readdir(folder);
  if (entries.includes('manifest.json')) return readManifestModel(join(folder, 'manifest.json'), options);
  if (entries.includes('config.json')) return readTransformersFolder(folder, options);
  const models = entries.filter((entry) => entry.toLowerCase().endsWith('.onnx'));
  if (models.length === 1) return readBareModel(join(folder, models[0]), options);
  throw new ImprintError(
    'BACKBONE_NOT_FOUND',
    `Expected manifest.json, or config.json and onnx/, or one .onnx file in ${folder}, found ${models.length ? `${models.length} .onnx files` : 'none of them'}. ` +
      (models.length ? 'Name the one you mean.' : 'Check the path.'),
  );
}

/** The embedded backbone's manifest, wherever npm put its package. */
function embeddedManifest(): string {
  const require = ownRequire();
  try {
    return require.resolve('@imprint/imprint-tiny/manifest.json');
  } catch (cause) {
    throw new ImprintError(
      'BACKBONE_NOT_FOUND',
      'Expected the package @imprint/imprint-tiny with its manifest.json and model.onnx, found none. Install it: npm install @imprint/imprint-tiny.',
      { cause },
    );
  }
}

/**
 * Reads a backbone.
 *
 * @param nameOrPath nothing or `imprint-tiny` for the embedded backbone; the name of a hub backbone, which is downloaded
 *   once (a folder of the same name is meant by `./name`); a folder with manifest.json, or in the layout of
 *   transformers.js (config.json, preprocessor_config.json, onnx/); an .onnx file, whose taps and preprocessing are then
 *   proposed from its graph and said in `notes`
 * @throws BACKBONE_NOT_FOUND, BACKBONE_INVALID (damaged file, wrong digest, wrong manifest), UNSUPPORTED (weights in other
 *   files, half-precision inputs), FILE_UNREADABLE, DOWNLOAD_FAILED, or the signal's reason
 */
export async function readModel(nameOrPath?: string, options: ReadModelOptions = {}): Promise<ModelContent> {
  if (nameOrPath === undefined || nameOrPath === EMBEDDED_NAME) return readManifestModel(embeddedManifest(), options);
  const hub = (await listHubManifests()).get(nameOrPath);
  if (hub) return readHubModel(hub, options);
  const kind = await kindOf(nameOrPath);
  if (kind === 'folder') return readFolder(nameOrPath, options);
  if (kind === 'file') {
    if (basename(nameOrPath) === 'manifest.json') return readManifestModel(nameOrPath, options);
    return readBareModel(nameOrPath, options);
  }
  throw new ImprintError(
    'BACKBONE_NOT_FOUND',
    `Expected a backbone's name or the path of a folder or an .onnx file, got "${nameOrPath}". \`imprint models list\` shows the names.`,
  );
}
