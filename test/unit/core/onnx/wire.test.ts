/** The protobuf reader against what the writer writes, and against bytes that nobody should have written. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../../packages/core/src/concat-bytes.ts';
import { ImprintError } from '../../../../packages/core/src/errors.ts';
import { intField, messageField, textField, varint, WireReader } from '../../../../packages/core/src/onnx/wire.ts';

describe('WireReader', () => {
  it('reads back every integer from 0 to 2^53 - 1 that the writer wrote', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 29 - 1 }), fc.maxSafeNat(), (field, value) => {
        const reader = new WireReader(intField(field, value));
        expect(reader.next()).toBe(true);
        expect(reader.field).toBe(field);
        expect(reader.int()).toBe(value);
        expect(reader.next()).toBe(false);
      }),
    );
  });

  it('reads negative integers, which protobuf writes in ten bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: -1 }), (value) => {
        const bytes: number[] = [8];
        for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
          if (rest < 128n) {
            bytes.push(Number(rest));
            break;
          }
          bytes.push(Number(rest & 127n) | 128);
        }
        const reader = new WireReader(Uint8Array.from(bytes));
        reader.next();
        expect(reader.int()).toBe(value);
      }),
    );
  });

  it('reads text, nested messages and packed integers', () => {
    const packed = messageField(4, varint(3), varint(300), varint(0));
    const reader = new WireReader(concatBytes([messageField(2, textField(1, 'Ä 模型')), packed, intField(4, 7)]));
    reader.next();
    const inner = reader.message();
    inner.next();
    expect(inner.text()).toBe('Ä 模型');
    const values: number[] = [];
    while (reader.next()) reader.intsInto(values);
    expect(values).toEqual([3, 300, 0, 7]);
  });

  it('ends every walk over random bytes with the end or with a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new WireReader(bytes);
        let steps = 0;
        try {
          while (reader.next()) {
            steps++;
            reader.skip();
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ImprintError);
          expect((error as ImprintError).code).toBe('BACKBONE_INVALID');
        }
        expect(steps).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a varint without an end', [0x08, 0xff]],
    ['a varint of eleven bytes', [0x08, ...Array(10).fill(0x80), 1]],
    ['an integer beyond 2^53', [0x08, ...Array(9).fill(0xff), 0x00]],
    ['a length past the end', [0x0a, 0x05, 1, 2]],
    ['a length of 2^63', [0x0a, ...Array(9).fill(0x80), 0x01]],
    ['field number 0', [0x00, 0x00]],
    ['a group, which ONNX never has', [0x0b]],
    ['a cut fixed64', [0x09, 1, 2, 3]],
    ['a cut fixed32', [0x0d, 1, 2, 3]],
  ])('refuses %s', (_, bytes) => {
    const reader = new WireReader(Uint8Array.from(bytes));
    expect(() => {
      while (reader.next()) reader.skip();
    }).toThrow(/Expected an ONNX model, got bytes that are not one: .* at byte \d+/);
  });

  it('refuses text that is not UTF-8, and a field of another type than the schema has', () => {
    const text = new WireReader(Uint8Array.of(0x0a, 1, 0xff));
    text.next();
    expect(() => text.text()).toThrow('text that is not UTF-8');
    const number = new WireReader(Uint8Array.of(0x0a, 1, 65));
    number.next();
    expect(() => number.int()).toThrow('field 1 of wire type 2');
  });
});
