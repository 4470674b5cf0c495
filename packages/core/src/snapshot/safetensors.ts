/** The safetensors container: an 8-byte header length, a JSON header, raw little-endian arrays. Reading runs no code. */

import { ImprintError } from '../errors.ts';
import { utf8Decode, utf8Encode } from '../platform.ts';

/** safetensors names of the element types that Imprint writes. */
export type TensorType = 'F64' | 'I32' | 'I8' | 'U8';

export interface Tensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** The elements' little-endian bytes. */
  readonly bytes: Uint8Array;
}

export interface TensorFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

const ELEMENT_BYTES: Record<TensorType, number> = { F64: 8, I32: 4, I8: 1, U8: 1 };
const MAX_HEADER_BYTES = 100_000_000; // the safetensors library's own limit

/** The bytes of a typed array, without a copy. All platforms that run JavaScript engines today are little-endian. */
export function bytesOf(array: Float64Array | Int32Array | Int8Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * Encodes tensors, widest elements first and then by name, so that each stands aligned and equal content is equal bytes.
 * @returns the file; the caller owns it
 */
export function encodeTensors({ metadata, tensors }: TensorFile): Uint8Array<ArrayBuffer> {
  const ordered = [...tensors].sort(
    ([nameA, a], [nameB, b]) => ELEMENT_BYTES[b.type] - ELEMENT_BYTES[a.type] || (nameA < nameB ? -1 : 1),
  );
  const entries: [string, unknown][] = [['__metadata__', Object.fromEntries(metadata)]];
  let offset = 0;
  for (const [name, { type, shape, bytes }] of ordered) {
    entries.push([name, { dtype: type, shape, data_offsets: [offset, offset + bytes.length] }]);
    offset += bytes.length;
  }
  const json = utf8Encode(JSON.stringify(Object.fromEntries(entries)));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.fill(0x20, 8, 8 + headerLength);
  file.set(json, 8);
  let position = 8 + headerLength;
  for (const [, { bytes }] of ordered) {
    file.set(bytes, position);
    position += bytes.length;
  }
  return file;
}

/**
 * Decodes a safetensors file; the tensors' bytes are views of `file`.
 * @throws SNAPSHOT_INVALID where lengths, offsets or types do not add up
 */
export function decodeTensors(file: Uint8Array): TensorFile {
  if (file.length < 8) throw invalid(`it has ${file.length} bytes, too few for a header`);
  const headerLength = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (headerLength > MAX_HEADER_BYTES) throw invalid('it does not begin like a safetensors file');
  if (8 + headerLength > file.length) throw invalid(`it ends inside its header, after ${file.length} bytes`);

  const header = parseObject(file.subarray(8, 8 + headerLength));
  const data = file.subarray(8 + headerLength);
  const metadata = new Map<string, string>();
  const tensors = new Map<string, Tensor>();
  const ranges: [number, number][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (typeof value !== 'object' || value === null) throw invalid('its metadata is no JSON object');
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== 'string') throw invalid(`metadata ${JSON.stringify(key)} is no string`);
        metadata.set(key, text);
      }
    } else {
      const [tensor, start, end] = readTensor(name, value, data);
      tensors.set(name, tensor);
      ranges.push([start, end]);
    }
  }
  // One after the other, as the format wants them: a thousand names for the same bytes would be read a thousand times.
  let end = 0;
  for (const [start, next] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (start !== end) throw invalid(`its tensors overlap or leave a gap at byte ${end} of its data`);
    end = next;
  }
  if (end !== data.length) throw invalid(`its header speaks of ${end} bytes of data, it has ${data.length}`);
  return { metadata, tensors };
}

/** The error for bytes that are no Imprint classifier, or no longer. */
export function invalid(reason: string, cause?: unknown): ImprintError {
  return new ImprintError(
    'SNAPSHOT_INVALID',
    `Expected a classifier saved by Imprint, got a file that is not one or was damaged: ${reason}. Restore it from a backup or learn it again.`,
    { cause },
  );
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw invalid('its header is no JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('its header is no JSON object');
  return value as Record<string, unknown>;
}

function readTensor(name: string, value: unknown, data: Uint8Array): [Tensor, number, number] {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const elementBytes = typeof dtype === 'string' ? ELEMENT_BYTES[dtype as TensorType] : undefined;
  const quoted = JSON.stringify(name);
  if (elementBytes === undefined) throw invalid(`tensor ${quoted} has an unknown type`);
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2)
    throw invalid(`tensor ${quoted} is described wrongly`);
  const [start, end] = offsets;
  const sizeBytes = shape.reduce((product, size) => product * size, elementBytes);
  if (end - start !== sizeBytes || end > data.length) {
    throw invalid(
      `tensor ${quoted} should hold ${sizeBytes} bytes and the file ends before, or it is described wrongly`,
    );
  }
  return [{ type: dtype as TensorType, shape, bytes: data.subarray(start, end) }, start, end];
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
