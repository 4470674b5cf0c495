/** Protocol Buffers on the wire: a reader that trusts no length, and the handful of writers that ONNX graphs need. */

import { concatBytes } from '../concat-bytes.ts';
import { ImprintError } from '../errors.ts';
import { utf8Decode, utf8Encode } from '../platform.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

function malformed(what: string, position: number): ImprintError {
  return new ImprintError(
    'BACKBONE_INVALID',
    `Expected an ONNX model, got bytes that are not one: ${what} at byte ${position}. The file is damaged or of another kind: fetch or export it again.`,
  );
}

/**
 * Walks the fields of one message in `bytes[start, end)`, without copying.
 *
 * Call `next()` for each field, then exactly one of `int()`, `span()`, `text()` or `skip()`. Every step moves forward or
 * throws BACKBONE_INVALID, so hostile bytes end the walk after at most `end - start` steps.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;
  /** Number of the field that `next` stands on. */
  field = 0;
  /** Wire type of the field that `next` stands on. */
  type = VARINT;
  /** Where that field's tag begins. */
  tagStart: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.tagStart = start;
    this.end = end;
  }

  /** Reads the next tag; false at the message's end. */
  next(): boolean {
    if (this.position >= this.end) return false;
    this.tagStart = this.position;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.type = tag % 8;
    if (!(tag > 0 && this.field > 0 && this.field < 2 ** 29))
      throw malformed('an impossible field number', this.tagStart);
    return true;
  }

  /** A varint as a signed 64-bit integer; throws where it does not fit into a double exactly. */
  int(): number {
    this.expect(VARINT);
    return this.varint();
  }

  /** A length-delimited field as `[start, end)` into `bytes`. */
  span(): { start: number; end: number } {
    this.expect(BYTES);
    const length = this.varint();
    const start = this.position;
    if (!(length >= 0 && length <= this.end - start)) throw malformed(`a field of ${length} bytes`, start);
    this.position = start + length;
    return { start, end: this.position };
  }

  /** A reader of the embedded message that this field holds. */
  message(): WireReader {
    const { start, end } = this.span();
    return new WireReader(this.bytes, start, end);
  }

  /** A length-delimited field as text. */
  text(): string {
    const { start, end } = this.span();
    try {
      return utf8Decode(this.bytes.subarray(start, end));
    } catch {
      throw malformed('text that is not UTF-8', start);
    }
  }

  /** A repeated integer field, packed or not; pushes its numbers onto `out`. */
  intsInto(out: number[]): void {
    if (this.type === VARINT) {
      out.push(this.varint());
      return;
    }
    const packed = this.message();
    while (packed.position < packed.end) out.push(packed.varint());
  }

  /** Steps over the field's value. */
  skip(): void {
    if (this.type === VARINT) this.varint();
    else if (this.type === BYTES) this.span();
    else if (this.type === FIXED32) this.advance(4);
    else if (this.type === FIXED64) this.advance(8);
    else throw malformed(`wire type ${this.type}`, this.tagStart);
  }

  private advance(length: number): void {
    if (this.end - this.position < length) throw malformed('an early end', this.position);
    this.position += length;
  }

  private expect(type: number): void {
    if (this.type !== type) throw malformed(`field ${this.field} of wire type ${this.type}`, this.tagStart);
  }

  private varint(): number {
    const start = this.position;
    let low = 0;
    let high = 0;
    // Ten bytes of seven bits hold 64; the tenth may only carry the last one.
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw malformed('a number that does not end', start);
      const byte = this.bytes[this.position++];
      if (i < 4) low += (byte & 127) * 2 ** (7 * i);
      else if (i === 4) {
        low += (byte & 15) * 2 ** 28;
        high += (byte & 127) >> 4;
      } else high += (byte & 127) * 2 ** (7 * i - 32);
      if (byte < 128) {
        const value = ((high % 2 ** 32) | 0) * 2 ** 32 + low;
        if (!Number.isSafeInteger(value)) throw malformed('a number beyond 2^53', start);
        return value;
      }
    }
    throw malformed('a number of more than ten bytes', start);
  }
}

function writeVarint(out: number[], value: number): void {
  let rest = value;
  while (rest > 127) {
    out.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** The bytes of `value` as a varint, an integer from 0 to 2^53 - 1. */
export function varint(value: number): Uint8Array {
  const out: number[] = [];
  writeVarint(out, value);
  return Uint8Array.from(out);
}

/** Field `field` holding the integer `value`, at least 0. */
export function intField(field: number, value: number): Uint8Array {
  const out: number[] = [];
  writeVarint(out, field * 8 + VARINT);
  writeVarint(out, value);
  return Uint8Array.from(out);
}

/** Field `field` holding the message made of `parts`, or raw bytes. */
export function messageField(field: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const header: number[] = [];
  writeVarint(header, field * 8 + BYTES);
  writeVarint(header, length);
  return concatBytes([Uint8Array.from(header), ...parts]);
}

/** Field `field` holding `text`. */
export function textField(field: number, text: string): Uint8Array {
  return messageField(field, utf8Encode(text));
}
