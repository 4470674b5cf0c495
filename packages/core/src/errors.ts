/** Every error that Imprint throws on purpose: a class with a stable `code`, what was expected, what came, what to do next. */

export type ImprintErrorCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_LABEL'
  | 'INVALID_EMBEDDING'
  | 'CLASS_NOT_FOUND'
  | 'CLASS_EXISTS'
  | 'EXAMPLE_NOT_FOUND'
  | 'NO_CLASSES'
  | 'NO_EXAMPLES'
  | 'BACKBONE_MISMATCH'
  | 'BACKBONE_INVALID'
  | 'BACKBONE_NOT_FOUND'
  | 'SNAPSHOT_INVALID'
  | 'SNAPSHOT_VERSION'
  | 'IMAGE_UNREADABLE'
  | 'IMAGE_TOO_LARGE'
  | 'NOT_POSITIVE_DEFINITE'
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_INACCURATE'
  | 'DOWNLOAD_FAILED'
  | 'FILE_NOT_FOUND'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'FILE_BUSY'
  | 'CAMERA_REFUSED'
  | 'CAMERA_UNAVAILABLE'
  | 'DISPOSED'
  | 'UNSUPPORTED';

export class ImprintError extends Error {
  override readonly name: string = 'ImprintError';
  readonly code: ImprintErrorCode;

  /** @param message what was expected, what came, and what to do next, in one or two sentences */
  constructor(code: ImprintErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** `describe(value)` names a value and its type for an error message, at most 60 characters of it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  }
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object') {
    const length = (value as { length?: unknown }).length;
    const type = (value as object).constructor?.name ?? 'Object';
    return typeof length === 'number' ? `${type} of length ${length}` : `a ${type}`;
  }
  return `a ${typeof value}`;
}

/** `expected(name, what, value)` is the error for an argument that is not what the signature asks for. */
export function expected(name: string, what: string, value: unknown, next = ''): ImprintError {
  return new ImprintError(
    'INVALID_ARGUMENT',
    `Expected ${what} for ${name}, got ${describe(value)}.${next && ` ${next}`}`,
  );
}

/** `items`, where they can be gone through one by one; a text or bytes, which could be, are one input. @throws INVALID_ARGUMENT */
export function requireIterable<T extends object>(items: T, name: string): T {
  const isMany = typeof items === 'object' && items !== null;
  const fits = isMany && (Symbol.iterator in items || Symbol.asyncIterator in items) && !ArrayBuffer.isView(items);
  if (!fits) throw expected(name, 'a list or another iterable', items, 'Put a single input in a list: [input].');
  return items;
}

/** Options of a verb, and in them the signal. @throws INVALID_ARGUMENT for what are none */
export function requireOptions<T extends object>(options: T): T {
  if (typeof options !== 'object' || options === null) throw expected('options', 'an object', options);
  const { signal } = options as { readonly signal?: unknown };
  const isSignal = typeof (signal as { throwIfAborted?: unknown } | null | undefined)?.throwIfAborted === 'function';
  if (signal !== undefined && !isSignal) {
    throw expected('signal', 'an AbortSignal', signal, 'Of an AbortController pass its `signal`.');
  }
  return options;
}

/** @throws INVALID_ARGUMENT for an id or a source that is neither absent nor a text: a saved classifier holds them as texts */
export function requireText(value: unknown, name: string): void {
  if (value !== undefined && value !== null && typeof value !== 'string') throw expected(name, 'a text', value);
}
