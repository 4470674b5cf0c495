/**
 * What one solve hands to the next. Sums are exact: a solve that finds them adds and takes away what changed and comes to the
 * same bits as one that starts from nothing. Factored systems are those of an earlier state: solutions from them differ by
 * rounding, and are checked against the exact sums. It stays beside the content, is no part of it, and losing it costs time only.
 */

import { matchRows } from './match-rows.ts';

interface Kept {
  readonly parameters: string;
  readonly codes: Int8Array;
  readonly value: unknown;
}

/** A value of an earlier state, and where the rows of the present one stood in it. */
export interface Carried<Value> {
  readonly value: Value;
  /** Int32Array, rows of the present: the row of the earlier state with equal codes, or -1. Each is named once. */
  readonly sources: Int32Array;
  /** Rows of the earlier state. */
  readonly numBefore: number;
}

interface Match {
  readonly before: Int8Array;
  readonly after: Int8Array;
  readonly sources: Int32Array;
}

const MOST_MATCHES = 2;

export class Carry {
  readonly #kept = new Map<string, Kept>();
  readonly #made = new Map<string, { readonly parameters: string; readonly value: unknown }>();
  /** The latest: values are those of the last state, or of one that others are updated from. */
  #matches: readonly Match[] = [];

  /**
   * What `put` kept under the same name and parameters.
   * @param codes Int8Array, rows x width: all codes of the present state
   */
  take<Value>(name: string, parameters: string, codes: Int8Array, width: number): Carried<Value> | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined || kept.parameters !== parameters) return undefined;
    const sources = this.#sources(kept.codes, codes, width);
    return { value: kept.value as Value, sources, numBefore: kept.codes.length / width };
  }

  /**
   * Keeps a value for the next state. Neither it nor `codes` may be written to from now on: solves may overlap.
   * @param parameters everything beside the codes that the value depends on
   */
  put(name: string, parameters: string, codes: Int8Array, value: unknown): void {
    this.#kept.set(name, { parameters, codes, value });
  }

  /** What depends on the parameters alone: made once for as long as they stay. */
  once<Value>(name: string, parameters: string, make: () => Value): Value {
    const known = this.#made.get(name);
    if (known?.parameters === parameters) return known.value as Value;
    const value = make();
    this.#made.set(name, { parameters, value });
    return value;
  }

  #sources(before: Int8Array, after: Int8Array, width: number): Int32Array {
    if (before === after) return Int32Array.from({ length: after.length / width }, (_, i) => i);
    let match = this.#matches.find((one) => one.before === before && one.after === after);
    if (match === undefined) {
      match = { before, after, sources: matchRows(before, after, width) };
      this.#matches = [match, ...this.#matches].slice(0, MOST_MATCHES);
    }
    return match.sources;
  }
}
