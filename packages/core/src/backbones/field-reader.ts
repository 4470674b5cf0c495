/** Reads a manifest's fields, and says of a wrong one where it stands. */

import { describe, ImprintError } from '../errors.ts';

type Json = Record<string, unknown>;

/** Checks fields of one JSON object and says where a wrong one stands: `output.dim in /models/x/manifest.json`. */
export class FieldReader {
  readonly object: Json;
  readonly path: string;
  readonly where: string;

  constructor(value: unknown, path: string, where: string) {
    this.path = path;
    this.where = where;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.error('', 'a JSON object', value);
    this.object = value as Json;
  }

  error(key: string, what: string, value: unknown): ImprintError {
    const name = [this.path, key].filter(Boolean).join('.') || 'the manifest';
    return new ImprintError(
      'BACKBONE_INVALID',
      `Expected ${what} for ${name} in ${this.where}, got ${describe(value)}. \`imprint models inspect\` proposes a manifest for a model.`,
    );
  }

  has(key: string): boolean {
    return Object.hasOwn(this.object, key) && this.object[key] !== undefined;
  }

  check<T>(key: string, what: string, accepts: (value: unknown) => boolean): T {
    const value = Object.hasOwn(this.object, key) ? this.object[key] : undefined;
    if (!accepts(value)) throw this.error(key, what, value);
    return value as T;
  }

  text(key: string): string {
    return this.check(key, 'a text that is not empty', (value) => typeof value === 'string' && value !== '');
  }

  optionalText(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  positiveInteger(key: string): number {
    return this.check(key, 'a positive integer', (value) => Number.isSafeInteger(value) && (value as number) > 0);
  }

  oneOf<T extends string>(key: string, values: readonly T[]): T {
    const what = values.map((value) => `'${value}'`).join(' or ');
    return this.check(key, what, (value) => values.includes(value as T));
  }

  list(key: string, what: string): unknown[] {
    return this.check(key, what, (value) => Array.isArray(value) && value.length > 0);
  }

  child(key: string): FieldReader {
    return new FieldReader(this.object[key], [this.path, key].filter(Boolean).join('.'), this.where);
  }
}
