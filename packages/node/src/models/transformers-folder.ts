/** Reads a folder in the layout of transformers.js: config.json, preprocessor_config.json, onnx/model*.onnx. */

import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { FieldReader, ImprintError, readModelGraph } from '@imprint/core';
import type { Manifest, Preprocessing, Resample } from '@imprint/core';
import { proposeManifest } from './propose-manifest.ts';
import { readError, readWithSha256 } from './read-file.ts';
import { finishModel } from './model-content.ts';
import type { ModelContent, ReadModelOptions } from './model-content.ts';
import { readRegularFile } from '../regular-file.ts';

/** File names in onnx/ by precision, most precise first; a model of two towers has its picture's tower apart. */
export const PRECISION_SUFFIXES: ReadonlyMap<string, readonly string[]> = new Map([
  ['fp32', ['']],
  ['fp16', ['_fp16']],
  ['int8', ['_int8', '_quantized']],
  ['uint8', ['_uint8']],
  ['q4', ['_q4']],
  ['q4f16', ['_q4f16']],
  ['bnb4', ['_bnb4']],
]);
const STEMS = ['vision_model', 'model'];

async function readJson(path: string): Promise<FieldReader> {
  let text: string;
  try {
    text = (await readRegularFile(path)).toString('utf8');
  } catch (cause) {
    throw readError(path, cause, 'BACKBONE_NOT_FOUND');
  }
  try {
    return new FieldReader(JSON.parse(text), '', path);
  } catch (cause) {
    if (cause instanceof ImprintError) throw cause;
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected JSON in ${path}, got text that is not. Fetch the file again.`,
      { cause },
    );
  }
}

const positive = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** The side in pixels that a `size` or `crop_size` entry of preprocessor_config.json means. */
function sideOf(fields: FieldReader, key: string): { side: number; squeezes: boolean } | undefined {
  const value = fields.object[key];
  if (value === undefined || value === null) return undefined;
  if (positive(value)) return { side: value, squeezes: false };
  const { shortest_edge: shortest, height, width } = fields.child(key).object;
  if (positive(shortest)) return { side: shortest, squeezes: false };
  if (positive(height) && height === width) return { side: height, squeezes: true };
  throw fields.error(key, 'a number of pixels, {shortest_edge}, or equal {height, width}', value);
}

/** PIL's numbers for resampling; Lanczos is the nearest kin of bicubic. */
function resampleOf(value: unknown, notes: string[]): Resample {
  if (value === 2) return 'bilinear';
  if (value !== 3 && value !== undefined) notes.push(`Its resampling (PIL ${value}) is replaced by bicubic.`);
  return 'bicubic';
}

/**
 * Reads preprocessor_config.json (transformers' ViT, DeiT, CLIP, SigLIP and BiT image processors).
 * What Imprint does otherwise is pushed onto `notes`.
 */
export function parsePreprocessor(fields: FieldReader, notes: string[]): Preprocessing {
  const resized = sideOf(fields, 'size');
  const cropped = fields.object['do_center_crop'] === true ? sideOf(fields, 'crop_size') : undefined;
  const size = cropped?.side ?? resized?.side;
  if (size === undefined) throw fields.error('size', 'a size in pixels', fields.object['size']);
  if (resized?.squeezes && !cropped) {
    notes.push('Its recipe squeezes pictures to a square; Imprint keeps their shape and crops the centre.');
  }
  const factor = fields.object['rescale_factor'];
  if (typeof factor === 'number' && Math.abs(factor * 255 - 1) > 1e-3) {
    throw fields.error('rescale_factor', '1/255', factor);
  }
  const channels = (key: string, fallback: readonly [number, number, number]): readonly [number, number, number] => {
    if (fields.object['do_normalize'] === false) return fallback;
    return fields.check(
      key,
      'three numbers',
      (value) => Array.isArray(value) && value.length === 3 && value.every(Number.isFinite),
    );
  };
  return {
    size,
    resize: Math.max(resized?.side ?? size, size),
    resample: resampleOf(fields.object['resample'], notes),
    mean: channels('image_mean', [0, 0, 0]),
    std: channels('image_std', [1, 1, 1]),
  };
}

/** Which model files lie in `onnx/`, by precision, most precise first. */
export async function listPrecisions(folder: string): Promise<Map<string, string>> {
  let entries: string[];
  try {
    entries = await readdir(join(folder, 'onnx'));
  } catch (cause) {
    throw readError(join(folder, 'onnx'), cause, 'BACKBONE_NOT_FOUND');
  }
  const found = new Map<string, string>();
  for (const [precision, suffixes] of PRECISION_SUFFIXES) {
    for (const stem of STEMS) {
      const file = suffixes.map((suffix) => `${stem}${suffix}.onnx`).find((name) => entries.includes(name));
      if (file !== undefined && !found.has(precision)) found.set(precision, `onnx/${file}`);
    }
  }
  return found;
}

/** Reads the folder's model in `options.precision`, or the most precise that is there. */
export async function readTransformersFolder(folder: string, options: ReadModelOptions): Promise<ModelContent> {
  const config = await readJson(join(folder, 'config.json'));
  const notes: string[] = [];
  const preprocessing = parsePreprocessor(await readJson(join(folder, 'preprocessor_config.json')), notes);
  const files = await listPrecisions(folder);
  const file = options.precision === undefined ? [...files.values()][0] : files.get(options.precision);
  if (file === undefined) {
    throw new ImprintError(
      'BACKBONE_NOT_FOUND',
      `Expected ${options.precision ?? 'a model'} in ${join(folder, 'onnx')}, found ${[...files.keys()].join(', ') || 'no model*.onnx'}. Fetch it, or ask for another precision.`,
    );
  }
  const content = await readWithSha256(join(folder, file), options.signal);
  const graph = readModelGraph(content.bytes);
  const vision = config.has('vision_config') ? config.child('vision_config') : config;
  const dim = vision.object['hidden_size'];
  const proposal = proposeManifest(graph, {
    preprocessing,
    ...(positive(dim) && { dim }),
    ...(options.taps && { taps: options.taps }),
  });
  const manifest: Manifest = {
    name: basename(resolve(folder)),
    version: 1,
    file,
    sizeBytes: content.bytes.length,
    sha256: content.sha256,
    licence: 'not stated',
    input: proposal.input,
    output: proposal.output,
  };
  return finishModel(manifest, content, folder, [...notes, ...proposal.notes], graph);
}
