/**
 * A classifier as bytes: class table, codes or sums, options and the backbone's identity in one safetensors file.
 * Content only, in canonical order: equal content is equal bytes. What is solved from it is computed again.
 */

import type { BackboneIdentity } from '../backbone.ts';
import { expected, ImprintError } from '../errors.ts';
import { ClassStatistics } from '../memory/class-statistics.ts';
import type { ExampleMemory } from '../memory/example-memory.ts';
import { canonicalLabel, compareText } from '../memory/label.ts';
import { isTagged, utf8Encode } from '../platform.ts';
import { Sha256, sha256Hex } from '../sha256.ts';
import { decodeExamples, encodeExamples } from './examples-content.ts';
import { checkIdentity } from './identity.ts';
import { decodeTensors, encodeTensors, invalid, type Tensor, type TensorFile } from './safetensors.ts';
import { decodeStatistics, encodeStatistics } from './statistics-content.ts';
import { checkTexts, parse } from './take.ts';

export const SNAPSHOT_VERSION = 1;

/** What the user chose; saved with the content. */
export interface SnapshotOptions {
  readonly head: string;
  readonly unknownBelow: number;
}

export interface Snapshot {
  readonly identity: BackboneIdentity;
  readonly options: SnapshotOptions;
  readonly content: ExampleMemory | ClassStatistics;
}

/** Encodes a classifier's content. @returns the file's bytes; the caller owns them */
export function encodeSnapshot({ identity, options, content }: Snapshot): Uint8Array<ArrayBuffer> {
  const { memory, labels, tensors } =
    content instanceof ClassStatistics ? encodeStatistics(content.view()) : encodeExamples(content.view());
  const metadata = new Map([
    ['format', 'imprint'],
    ['format_version', String(SNAPSHOT_VERSION)],
    ['backbone', JSON.stringify(canonicalIdentity(identity))],
    ['labels', JSON.stringify(labels)],
    ['memory', memory],
    ['options', JSON.stringify({ head: options.head, unknownBelow: options.unknownBelow })],
  ]);
  metadata.set('content_sha256', contentDigest(metadata, tensors));
  return encodeTensors({ metadata, tensors });
}

/**
 * The backbone that a snapshot was learned with, from its header alone; nothing else of it is checked.
 * @throws SNAPSHOT_VERSION, SNAPSHOT_INVALID
 */
export function snapshotIdentity(file: Uint8Array): BackboneIdentity {
  return checkIdentity(parse(decodeCurrent(file).metadata.get('backbone'), 'backbone'));
}

/**
 * Decodes a classifier's content.
 * @throws INVALID_ARGUMENT for what is no Uint8Array; SNAPSHOT_VERSION where a newer Imprint wrote it; SNAPSHOT_INVALID where it is truncated, altered or no snapshot
 */
export function decodeSnapshot(file: Uint8Array): Snapshot {
  const { metadata, tensors } = decodeCurrent(file);
  if (metadata.get('content_sha256') !== contentDigest(metadata, tensors)) {
    throw invalid('its content does not match the checksum in it');
  }
  const identity = checkIdentity(parse(metadata.get('backbone'), 'backbone'));
  const options = checkOptions(parse(metadata.get('options'), 'options'));
  const labels = checkTexts(parse(metadata.get('labels'), 'labels'), 'labels');
  const canonical = labels.map(canonicalLabel).sort(compareText);
  if (labels.some((label, k) => label !== canonical[k] || label === canonical[k + 1])) {
    throw invalid('its labels are not in canonical order, or one is named twice');
  }
  const { dim, taps } = identity;
  const memory = metadata.get('memory');
  if (memory === 'examples') return { identity, options, content: decodeExamples(labels, taps.length, dim, tensors) };
  if (memory === 'statistics')
    return { identity, options, content: decodeStatistics(labels, taps.length, dim, tensors) };
  throw invalid('it does not say what kind of memory it holds');
}

/** The container, of a version that this Imprint reads. */
function decodeCurrent(file: Uint8Array): TensorFile {
  if (!isTagged(file, 'Uint8Array')) throw expected('bytes', 'a Uint8Array', file);
  const container = decodeTensors(file);
  if (container.metadata.get('format') !== 'imprint') throw invalid('it is a safetensors file of something else');
  const version = Number(container.metadata.get('format_version'));
  if (!Number.isInteger(version) || version < 1) throw invalid('it names no format version');
  if (version > SNAPSHOT_VERSION) {
    throw new ImprintError(
      'SNAPSHOT_VERSION',
      `Expected a classifier of format version ${SNAPSHOT_VERSION} or older, got version ${version}. Update Imprint to open it.`,
    );
  }
  return container;
}

function checkOptions(value: unknown): SnapshotOptions {
  const { head, unknownBelow } = (value ?? {}) as Record<string, unknown>;
  if (typeof head !== 'string' || typeof unknownBelow !== 'number' || !(unknownBelow >= 0 && unknownBelow <= 1)) {
    throw invalid('its options are not understood');
  }
  return { head, unknownBelow };
}

/** Fixed key order, so that one identity is one text. */
function canonicalIdentity({ name, sha256: digest, dim, taps, preprocessing }: BackboneIdentity): object {
  if (preprocessing === undefined) return { name, sha256: digest, dim, taps };
  const { size, resize, resample, mean, std } = preprocessing;
  return { name, sha256: digest, dim, taps, preprocessing: { size, resize, resample, mean, std } };
}

/** SHA-256 over metadata (without the digest itself) and every tensor's name, type, shape and bytes. */
function contentDigest(metadata: ReadonlyMap<string, string>, tensors: ReadonlyMap<string, Tensor>): string {
  const hash = new Sha256();
  const byName = (a: [string, unknown], b: [string, unknown]) => (a[0] < b[0] ? -1 : 1);
  const texts = [...metadata].filter(([key]) => key !== 'content_sha256').sort(byName);
  hash.update(utf8Encode(JSON.stringify(texts)));
  for (const [name, { type, shape, bytes }] of [...tensors].sort(byName)) {
    hash.update(utf8Encode(JSON.stringify([name, type, shape])));
    hash.update(bytes);
  }
  return hash.hex();
}

/** SHA-256 of a snapshot's bytes, 64 hex digits. */
export function contentHash(snapshot: Uint8Array): string {
  return sha256Hex(snapshot);
}
