/** Feature and split files of benchmarks: F.json beside F.f32.bin (row-major float32), and a JSON array of splits. */

import { readFile } from 'node:fs/promises';
import { ImprintError, type FewShotSplit, type LabelledFeatures } from '@imprint/core';

function invalid(path: string, what: string, cause?: unknown): ImprintError {
  return new ImprintError('INVALID_ARGUMENT', `Expected ${what} in ${path}. Check that it is the file you mean.`, {
    cause,
  });
}

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(path, 'JSON', cause);
  }
}

function unreadable(path: string, cause: unknown): ImprintError {
  const { code } = cause as NodeJS.ErrnoException;
  const found = code === 'ENOENT' ? 'none' : (code ?? String(cause));
  return new ImprintError('FILE_UNREADABLE', `Expected a file at ${path}, found ${found}. Check the path.`, { cause });
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item));
}

/**
 * Reads `path` (`shape` [n, dim] or [n, taps, dim], `labels`) and the float32 file beside it.
 * @throws FILE_UNREADABLE; INVALID_ARGUMENT where the two do not fit
 */
export async function readFeatures(path: string): Promise<LabelledFeatures> {
  const { shape, labels } = ((await readJson(path)) ?? {}) as { shape?: unknown; labels?: unknown };
  if (!isNumbers(shape)) throw invalid(path, '"shape", a list of whole numbers,');
  if (!isNumbers(labels)) throw invalid(path, '"labels", a list of class numbers,');
  const binary = `${path.replace(/\.json$/, '')}.f32.bin`;
  let bytes: Buffer;
  try {
    bytes = await readFile(binary);
  } catch (cause) {
    throw unreadable(binary, cause);
  }
  const values = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== values * 4)
    throw invalid(binary, `${shape.join(' x ')} float32 values (${values * 4} bytes, not ${bytes.length})`);
  const data = new Float32Array(values);
  new Uint8Array(data.buffer).set(bytes);
  return { shape, labels, data };
}

/** Reads a JSON array of {shots, seed, train, test}. @throws FILE_UNREADABLE, INVALID_ARGUMENT */
export async function readSplits(path: string): Promise<FewShotSplit[]> {
  const splits = await readJson(path);
  if (!Array.isArray(splits) || splits.length === 0) throw invalid(path, 'an array of splits, at least one');
  return splits.map((split: Partial<FewShotSplit> | null, i) => {
    const { shots, seed, train, test } = split ?? {};
    if (typeof shots !== 'number' || typeof seed !== 'number' || !isNumbers(train) || !isNumbers(test)) {
      throw invalid(path, `{shots, seed, train, test} for split ${i}`);
    }
    return { shots, seed, train, test };
  });
}
