/** Parts of a snapshot, taken out of it and checked. */

import { invalid, type Tensor, type TensorType } from './safetensors.ts';

/** A list of texts. @throws SNAPSHOT_INVALID */
export function checkTexts(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw invalid(`its ${name} are no list of texts`);
  return value as string[];
}

/** Parsed JSON. @throws SNAPSHOT_INVALID */
export function parse(text: string | undefined, name: string): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw invalid(`its ${name} entry is missing or no JSON`, cause);
  }
}

/** The tensor of that name, type and (if given) shape. @throws SNAPSHOT_INVALID */
export function take(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  type: TensorType,
  shape?: readonly number[],
): Tensor {
  const tensor = tensors.get(name);
  if (tensor?.type !== type || (shape !== undefined && String(tensor.shape) !== String(shape))) {
    throw invalid(
      `tensor ${JSON.stringify(name)} is missing or not ${type}${shape === undefined ? '' : ` of shape ${shape.join(' x ')}`}`,
    );
  }
  return tensor;
}

/** A copy at offset 0, since a view of 4- or 8-byte elements may start only at a multiple of that. */
export function aligned(bytes: Uint8Array): ArrayBuffer {
  // Not bytes.slice(): on Node's Buffer that is a view.
  return new Uint8Array(bytes).buffer;
}
