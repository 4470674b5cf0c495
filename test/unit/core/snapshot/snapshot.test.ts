import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  decodeTensors,
  encodeTensors,
  type Tensor,
} from '../../../../packages/core/src/snapshot/safetensors.ts';
import { decodeSnapshot, encodeSnapshot, SNAPSHOT_VERSION } from '../../../../packages/core/src/snapshot/snapshot.ts';
import { decodeStatistics } from '../../../../packages/core/src/snapshot/statistics-content.ts';
import { requireSameBackbone } from '../../../../packages/core/src/snapshot/identity.ts';
import { clusterMemory } from '../../../embeddings.ts';

const identity = {
  name: 'test-backbone',
  sha256: 'ab'.repeat(32),
  dim: 6,
  taps: ['last', 'middle'],
  preprocessing: {
    size: 32,
    resize: 36,
    resample: 'bicubic' as const,
    mean: [0.5, 0.4, 0.3] as [number, number, number],
    std: [0.2, 0.2, 0.2] as [number, number, number],
  },
};
const options = { head: 'auto', unknownBelow: 0.01 };

function file(counts: readonly number[] = [3, 1, 2]): Uint8Array {
  return encodeSnapshot({ identity, options, content: clusterMemory(counts, 2, 6) });
}

/** A safetensors file of this header, and so many bytes of data. */
function container(header: object, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (start: number, end: number) => ({ dtype: 'U8', shape: [end - start], data_offsets: [start, end] });

/** The file with its metadata changed, still a valid safetensors file. */
function withMetadata(changes: Record<string, string>): Uint8Array {
  const { metadata, tensors } = decodeTensors(file());
  return encodeTensors({ metadata: new Map([...metadata, ...Object.entries(changes)]), tensors });
}

describe('a snapshot', () => {
  it('gives back what it was made of', () => {
    const content = clusterMemory([3, 1, 2], 2, 6);
    const decoded = decodeSnapshot(encodeSnapshot({ identity, options, content }));
    expect(decoded.identity).toEqual(identity);
    expect(decoded.options).toEqual(options);
    expect(decoded.content.view()).toEqual(content.view());
    expect(encodeSnapshot(decoded)).toEqual(encodeSnapshot({ identity, options, content }));
  });

  it('may be empty', () => {
    expect(decodeSnapshot(file([])).content.numClasses).toBe(0);
  });

  it('is read from the middle of a larger buffer, at any alignment', () => {
    const bytes = file();
    const buffer = new Uint8Array(bytes.length + 16);
    for (const offset of [1, 3, 8]) {
      buffer.set(bytes, offset);
      expect(decodeSnapshot(buffer.subarray(offset, offset + bytes.length)).content.numExamples).toBe(6);
    }
  });

  it('is read from a Node Buffer, whose slice is a view', () => {
    const bytes = Buffer.concat([Buffer.alloc(3), file()]).subarray(3);
    expect(decodeSnapshot(bytes).content.numExamples).toBe(6);
  });

  it('is refused where it is no bytes: a buffer, a name, arguments that were swapped, nothing', () => {
    for (const wrong of [file().buffer, 'cats.imprint', { identity }, undefined]) {
      expect(() => decodeSnapshot(wrong as never)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringMatching(/a Uint8Array for bytes, got/) as string,
        }),
      );
    }
  });

  it('is refused when cut anywhere', () => {
    const bytes = file();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSnapshot(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'SNAPSHOT_INVALID' }),
      );
    }
  });

  it('is refused, and never misread, when any one bit is flipped', () => {
    const bytes = file();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const damaged = bytes.slice();
        damaged[at] ^= 1 << bit;
        expect(() => decodeSnapshot(damaged)).toThrow(expect.objectContaining({ name: 'ImprintError' }));
      }),
      { numRuns: 3000 },
    );
  });

  it('is refused when it comes from a newer Imprint, with what to do', () => {
    expect(() => decodeSnapshot(withMetadata({ format_version: '999' }))).toThrow(
      `Expected a classifier of format version ${SNAPSHOT_VERSION} or older, got version 999. Update Imprint to open it.`,
    );
  });

  it('is refused when its labels were edited', () => {
    expect(() => decodeSnapshot(withMetadata({ labels: '["c0","c1","cat"]' }))).toThrow('checksum');
  });

  it('is refused when it is some other safetensors file', () => {
    expect(() => decodeSnapshot(encodeTensors({ metadata: new Map(), tensors: new Map() }))).toThrow('something else');
  });

  it.each([
    ['a text', new TextEncoder().encode('hello, this is not a classifier')],
    ['zeros', new Uint8Array(64)],
    ['a header that claims terabytes', new Uint8Array([255, 255, 255, 255, 255, 255, 0, 0, 123])],
    ['without metadata', container({ __metadata__: null })],
    ['many names for the same bytes', container({ a: tensor(0, 8), b: tensor(0, 8) }, 8)],
    ['with tensors that overlap', container({ a: tensor(0, 8), b: tensor(4, 12) }, 12)],
    ['with a gap between tensors', container({ a: tensor(0, 4), b: tensor(8, 12) }, 12)],
  ])('is refused when it is %s', (_name, bytes) => {
    expect(() => decodeSnapshot(bytes)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_INVALID' }));
  });

  it('is refused where its sums are those of no examples, or of more than can be counted', () => {
    const decoded = (counts: readonly number[], sums: number, gram: number) => {
      const tensors = new Map<string, Tensor>([
        ['class_counts', { type: 'I32', shape: [counts.length], bytes: bytesOf(Int32Array.from(counts)) }],
        [
          'class_sums',
          { type: 'F64', shape: [counts.length, 1, 2], bytes: bytesOf(new Float64Array(2 * counts.length).fill(sums)) },
        ],
        ['gram_lower', { type: 'F64', shape: [3], bytes: bytesOf(new Float64Array(3).fill(gram)) }],
      ]);
      return decodeStatistics(
        counts.map((_, k) => `c${k}`),
        1,
        2,
        tensors,
      );
    };
    const refused = expect.objectContaining({ code: 'SNAPSHOT_INVALID' });
    expect(decoded([3, 1], 127, 4 * 127 ** 2).numExamples).toBe(4);
    expect(() => decoded([3, 1], 128, 9)).toThrow(refused);
    expect(() => decoded([3, 1], 1e308, 9)).toThrow(refused);
    expect(() => decoded([3, 1], 1, 4 * 127 ** 2 + 1)).toThrow(refused);
    expect(() => decoded([2 ** 31 - 1, 1], 1, 1)).toThrow(refused);
  });
});

describe('requireSameBackbone', () => {
  it('takes the same backbone under another name, and preprocessing whose keys stand in another order', () => {
    const { size, resize, resample, mean, std } = identity.preprocessing;
    const same = { ...identity, name: 'renamed', preprocessing: { std, mean, resample, resize, size } };
    expect(() => requireSameBackbone(identity, same)).not.toThrow();
  });

  it.each([
    ['another model', { sha256: 'cd'.repeat(32) }, 'model abababababab against cdcdcdcdcdcd'],
    ['other taps', { taps: ['last'] }, '2 x 6 numbers an example against 1 x 6'],
    ['other preprocessing', { preprocessing: { ...identity.preprocessing, resize: 40 } }, 'other preprocessing'],
  ])('refuses %s and says what differs', (_name, change, message) => {
    expect(() => requireSameBackbone(identity, { ...identity, ...change })).toThrow(message);
  });
});
