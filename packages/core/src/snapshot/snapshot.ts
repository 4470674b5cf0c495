/**
 * A classifier as bytes: codes, class table, class sums, options and the backbone's identity in one safetensors file.
 * Content only, in canonical order: equal content is equal bytes. What is solved from it is computed again.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { BackboneIdentity } from '../backbone.ts';
import { ImprintError } from '../errors.ts';
import { ExampleMemory, type Example } from '../memory/example-memory.ts';
import { canonicalLabel } from '../memory/label.ts';
import { utf8Decode, utf8Encode } from '../platform.ts';
import { checkIdentity } from './identity.ts';
import { bytesOf, decodeTensors, encodeTensors, invalid, type Tensor, type TensorType } from './safetensors.ts';

export const SNAPSHOT_VERSION = 1;

/** What the user chose; saved with the content. */
export interface SnapshotOptions {
  readonly head: string;
  readonly unknownBelow: number;
}

export interface Snapshot {
  readonly identity: BackboneIdentity;
  readonly options: SnapshotOptions;
  readonly memory: ExampleMemory;
}

/** Encodes a classifier's content. @returns the file's bytes; the caller owns them */
export function encodeSnapshot({ identity, options, memory }: Snapshot): Uint8Array<ArrayBuffer> {
  const view = memory.view();
  const { taps, dim, numClasses, numExamples } = view;
  const names = utf8Encode(JSON.stringify({ ids: view.ids, sources: view.sources.map((source) => source ?? null) }));
  const tensors = new Map<string, Tensor>([
    ['class_sums', { type: 'F64', shape: [numClasses, taps, dim], bytes: bytesOf(view.sums) }],
    ['class_indices', { type: 'I32', shape: [numExamples], bytes: bytesOf(view.classIndices) }],
    ['codes', { type: 'I8', shape: [numExamples, taps, dim], bytes: bytesOf(view.codes) }],
    ['examples_json', { type: 'U8', shape: [names.length], bytes: names }],
  ]);
  const metadata = new Map([
    ['format', 'imprint'],
    ['format_version', String(SNAPSHOT_VERSION)],
    ['backbone', JSON.stringify(canonicalIdentity(identity))],
    ['labels', JSON.stringify(view.labels)],
    ['options', JSON.stringify({ head: options.head, unknownBelow: options.unknownBelow })],
  ]);
  metadata.set('content_sha256', contentDigest(metadata, tensors));
  return encodeTensors({ metadata, tensors });
}

/**
 * Decodes a classifier's content.
 * @throws SNAPSHOT_VERSION where a newer Imprint wrote it; SNAPSHOT_INVALID where it is truncated, altered or no snapshot
 */
export function decodeSnapshot(file: Uint8Array): Snapshot {
  const { metadata, tensors } = decodeTensors(file);
  if (metadata.get('format') !== 'imprint') throw invalid('it is a safetensors file of something else');
  const version = Number(metadata.get('format_version'));
  if (!Number.isInteger(version) || version < 1) throw invalid('it names no format version');
  if (version > SNAPSHOT_VERSION) {
    throw new ImprintError(
      'SNAPSHOT_VERSION',
      `Expected a classifier of format version ${SNAPSHOT_VERSION} or older, got version ${version}. Update Imprint to open it.`,
    );
  }
  if (metadata.get('content_sha256') !== contentDigest(metadata, tensors)) {
    throw invalid('its content does not match the checksum in it');
  }
  const identity = checkIdentity(parse(metadata.get('backbone'), 'backbone'));
  const options = checkOptions(parse(metadata.get('options'), 'options'));
  return { identity, options, memory: readMemory(identity, metadata, tensors) };
}

function readMemory(
  identity: BackboneIdentity,
  metadata: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, Tensor>,
): ExampleMemory {
  const taps = identity.taps.length;
  const { dim } = identity;
  const width = taps * dim;
  const labels = checkTexts(parse(metadata.get('labels'), 'labels'), 'labels').map(canonicalLabel);
  const classIndexTensor = take(tensors, 'class_indices', 'I32');
  const classIndices = new Int32Array(aligned(classIndexTensor.bytes));
  const numExamples = classIndices.length;
  const codeTensor = take(tensors, 'codes', 'I8', [numExamples, taps, dim]);
  const codes = new Int8Array(codeTensor.bytes.slice().buffer);
  const sums = new Float64Array(aligned(take(tensors, 'class_sums', 'F64', [labels.length, taps, dim]).bytes));
  const { ids, sources } = readNames(take(tensors, 'examples_json', 'U8').bytes, numExamples);

  const byClass: Example[][] = labels.map(() => []);
  for (let row = 0; row < numExamples; row++) {
    const examples = byClass[classIndices[row]];
    if (examples === undefined) throw invalid(`example ${row} belongs to no class`);
    examples.push({
      id: ids[row],
      source: sources[row] ?? undefined,
      codes: codes.subarray(row * width, (row + 1) * width),
    });
  }
  if (codes.includes(-128)) throw invalid('it holds the code -128, which no embedding has');
  const memory = new ExampleMemory(taps, dim);
  for (const [classIndex, label] of labels.entries()) {
    if (memory.has(label) || byClass[classIndex].length === 0)
      throw invalid(`class ${JSON.stringify(label)} is empty or named twice`);
    if (memory.add(label, byClass[classIndex]) !== byClass[classIndex].length)
      throw invalid('an example is in it twice');
  }
  const view = memory.view();
  if (view.labels.some((label, i) => label !== labels[i]) || view.ids.some((id, row) => id !== ids[row])) {
    throw invalid('its classes or examples are not in canonical order');
  }
  if (view.sums.some((sum, i) => sum !== sums[i])) throw invalid('its class sums are not the sums of its codes');
  return memory;
}

function readNames(bytes: Uint8Array, numExamples: number): { ids: string[]; sources: (string | null)[] } {
  let text: string;
  try {
    text = utf8Decode(bytes);
  } catch (cause) {
    throw invalid('its example names are no UTF-8', cause);
  }
  const { ids, sources } = parse(text, 'example names') as { ids?: unknown; sources?: unknown };
  const checkedIds = checkTexts(ids, 'ids');
  if (!Array.isArray(sources) || !sources.every((item) => item === null || typeof item === 'string')) {
    throw invalid('its sources are no list of names');
  }
  if (checkedIds.length !== numExamples || sources.length !== numExamples) {
    throw invalid(`it names ${checkedIds.length} ids for ${numExamples} examples`);
  }
  return { ids: checkedIds, sources: sources as (string | null)[] };
}

function checkOptions(value: unknown): SnapshotOptions {
  const { head, unknownBelow } = (value ?? {}) as Record<string, unknown>;
  if (typeof head !== 'string' || typeof unknownBelow !== 'number' || !(unknownBelow >= 0 && unknownBelow <= 1)) {
    throw invalid('its options are not understood');
  }
  return { head, unknownBelow };
}

function checkTexts(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw invalid(`its ${name} are no list of texts`);
  return value as string[];
}

function parse(text: string | undefined, name: string): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw invalid(`its ${name} entry is missing or no JSON`, cause);
  }
}

function take(tensors: ReadonlyMap<string, Tensor>, name: string, type: TensorType, shape?: readonly number[]): Tensor {
  const tensor = tensors.get(name);
  if (tensor?.type !== type || (shape !== undefined && String(tensor.shape) !== String(shape))) {
    throw invalid(
      `tensor ${JSON.stringify(name)} is missing or not ${type}${shape === undefined ? '' : ` of shape ${shape.join(' x ')}`}`,
    );
  }
  return tensor;
}

/** A copy at offset 0, since a view of 4- or 8-byte elements may start only at a multiple of that. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}

/** Fixed key order, so that one identity is one text. */
function canonicalIdentity({ name, sha256: digest, dim, taps, preprocessing }: BackboneIdentity): object {
  if (preprocessing === undefined) return { name, sha256: digest, dim, taps };
  const { size, resize, resample, mean, std } = preprocessing;
  return { name, sha256: digest, dim, taps, preprocessing: { size, resize, resample, mean, std } };
}

/** SHA-256 over metadata (without the digest itself) and every tensor's name, type, shape and bytes. */
function contentDigest(metadata: ReadonlyMap<string, string>, tensors: ReadonlyMap<string, Tensor>): string {
  const hash = sha256.create();
  const byName = (a: [string, unknown], b: [string, unknown]) => (a[0] < b[0] ? -1 : 1);
  const texts = [...metadata].filter(([key]) => key !== 'content_sha256').sort(byName);
  hash.update(utf8Encode(JSON.stringify(texts)));
  for (const [name, { type, shape, bytes }] of [...tensors].sort(byName)) {
    hash.update(utf8Encode(JSON.stringify([name, type, shape])));
    hash.update(bytes);
  }
  return bytesToHex(hash.digest());
}

/** SHA-256 of a snapshot's bytes, 64 hex digits. */
export function contentHash(snapshot: Uint8Array): string {
  return bytesToHex(sha256(snapshot));
}
