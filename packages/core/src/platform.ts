/** The little that core takes from its host: UTF-8, the shape of an AbortSignal, the names of its classes. Nothing here does I/O. */

/** The part of the platform's AbortSignal that core uses; every runtime's own AbortSignal fits. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  /** Where it is there, an abort is heard at once; without it, at the next turn of the work. */
  addEventListener?(type: 'abort', listener: () => void): void;
  removeEventListener?(type: 'abort', listener: () => void): void;
}

/**
 * Whether `value` is an instance of the host's class of this name (`Float32Array`, `Blob`), told by its tag and not by `instanceof`: test
 * runners (Jest, jsdom), frames and `vm` contexts have classes of their own, and what comes from there is as good. The host's own derived
 * classes have tags of their own: a File is no Blob. A Buffer is a Uint8Array.
 */
export function isTagged(value: unknown, name: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };
declare const TextDecoder: new (
  label: 'utf-8',
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

/** UTF-8 bytes of `text`; the caller owns the array. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The text of UTF-8 `bytes`; throws a TypeError on malformed input. */
export function utf8Decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
