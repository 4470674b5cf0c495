/**
 * The memory of examples: int8 codes by class, with exact class sums, in an order that depends on content alone.
 * Equal content gives an equal view, whatever was added, removed, renamed or merged on the way.
 */

import { ImprintError } from '../errors.ts';
import { classRecord, renameKey, type ClassSummary } from './class-map.ts';
import { compareText } from './label.ts';
import type { Memory } from './memory.ts';

export interface Example {
  /** Unique within its class. */
  readonly id: string;
  /** The file's base name, where there was a file. */
  readonly source: string | undefined;
  /** Int8Array of `taps * dim` codes. */
  readonly codes: Int8Array;
}

/**
 * The canonical view: what heads read, and beside it the names of rows and classes. Classes stand in an order of what is in
 * them (ids, then codes), not of their labels: a class that is renamed stays where it is, and so does all that was solved.
 */
export interface MemoryView extends Memory {
  /** Labels in class index order. */
  readonly labels: readonly string[];
  /** Ids by row. */
  readonly ids: readonly string[];
  /** Sources by row. */
  readonly sources: readonly (string | undefined)[];
}

interface ClassRecord {
  readonly examples: Map<string, Example>;
  /** Exact integer sums of the codes. */
  readonly sums: Float64Array;
}

/** Codes of one picture differ by rounding between devices; below this cosine they are different pictures. */
const SAME_CONTENT_COSINE = 0.98;

export class ExampleMemory {
  readonly taps: number;
  readonly dim: number;
  readonly width: number;
  #classes = new Map<string, ClassRecord>();
  #numExamples = 0;
  #view: MemoryView | undefined;

  constructor(taps: number, dim: number) {
    this.taps = taps;
    this.dim = dim;
    this.width = taps * dim;
  }

  get numClasses(): number {
    return this.#classes.size;
  }

  get numExamples(): number {
    return this.#numExamples;
  }

  has(label: string): boolean {
    return this.#classes.has(label);
  }

  /** Labels and counts in canonical order. */
  classes(): ClassSummary[] {
    return [...this.#classes]
      .map(([label, { examples }]) => ({ label, count: examples.size }))
      .sort((a, b) => compareText(a.label, b.label));
  }

  /** The examples of one class in canonical order. */
  examples(label: string): Example[] {
    return [...this.#record(label).examples.values()].sort((a, b) => compareText(a.id, b.id));
  }

  /**
   * Adds examples to a class, making it where it is new; all of them or, where one is refused, none.
   * An id that the class already has is not added again: of two codes of one picture (devices differ by rounding)
   * the lexicographically smaller stays. The outcome does not depend on order where all codes of an id are of one picture, every two of
   * them of a cosine of at least 0.98. Codes that drift further apart are told by the one kept so far, and their order decides.
   * @returns how many were new
   * @throws INVALID_ARGUMENT where an id names another picture than the one kept
   */
  add(label: string, examples: readonly Example[]): number {
    const present = this.#classes.get(label);
    const fresh = new Map<string, Example>();
    for (const example of examples) {
      this.#checkWidth(example);
      const known = fresh.get(example.id) ?? present?.examples.get(example.id);
      fresh.set(example.id, known === undefined ? example : reconcile(label, known, example));
    }
    if (fresh.size === 0) return 0;

    const record: ClassRecord = present ?? { examples: new Map(), sums: new Float64Array(this.width) };
    let added = 0;
    for (const [id, example] of fresh) {
      const known = record.examples.get(id);
      if (known === example) continue;
      if (known === undefined) added++;
      else accumulate(record.sums, known.codes, -1);
      accumulate(record.sums, example.codes, 1);
      record.examples.set(id, example);
    }
    this.#classes.set(label, record);
    this.#numExamples += added;
    this.#view = undefined;
    return added;
  }

  /** Removes a class and its examples. @throws CLASS_NOT_FOUND */
  removeClass(label: string): void {
    this.#numExamples -= this.#record(label).examples.size;
    this.#classes.delete(label);
    this.#view = undefined;
  }

  /** Removes examples by id, all or none; a class left empty goes. @throws CLASS_NOT_FOUND, EXAMPLE_NOT_FOUND */
  removeExamples(label: string, ids: readonly string[]): void {
    const record = this.#record(label);
    const removed = examplesNamed(label, record, ids);
    for (const { id, codes } of removed) {
      accumulate(record.sums, codes, -1);
      record.examples.delete(id);
    }
    this.#numExamples -= removed.length;
    if (record.examples.size === 0) this.#classes.delete(label);
    this.#view = undefined;
  }

  /** Moves examples into another class, all or none; a class left empty goes. @throws CLASS_NOT_FOUND, EXAMPLE_NOT_FOUND; see `add` */
  moveExamples(from: string, into: string, ids: readonly string[]): void {
    const moved = examplesNamed(from, this.#record(from), ids);
    this.#record(into);
    this.add(into, moved);
    this.removeExamples(from, ids);
  }

  /** Gives a class another label. @throws CLASS_NOT_FOUND; CLASS_EXISTS where `to` is another class */
  rename(from: string, to: string): void {
    if (!renameKey(this.#classes, from, to)) return;
    this.#view = undefined;
  }

  /** Moves every example of `from` into `into`, or nothing where that fails. @throws CLASS_NOT_FOUND; see `add` */
  mergeClasses(from: string, into: string): void {
    const moved = this.#record(from);
    this.#record(into);
    this.add(into, [...moved.examples.values()]);
    this.removeClass(from);
  }

  /** Takes in all of another memory's classes, or nothing where that fails. @throws see `add` */
  merge(other: ExampleMemory): void {
    const trial = this.#clone();
    for (const [label, { examples }] of other.#classes) trial.add(label, [...examples.values()]);
    this.#classes = trial.#classes;
    this.#numExamples = trial.#numExamples;
    this.#view = undefined;
  }

  /**
   * The canonical view, built once after a change in O(numExamples * width) and kept. Its arrays are never written
   * again: a head that is being solved from it is not disturbed by the next change.
   */
  view(): MemoryView {
    return (this.#view ??= this.#buildView());
  }

  #buildView(): MemoryView {
    const { taps, dim, width } = this;
    const ordered = [...this.#classes.keys()].map((label) => ({ label, examples: this.examples(label) }));
    ordered.sort((a, b) => compareContent(a.examples, b.examples) || compareText(a.label, b.label));
    const labels = ordered.map(({ label }) => label);
    const numExamples = this.#numExamples;
    const codes = new Int8Array(numExamples * width);
    const classIndices = new Int32Array(numExamples);
    const counts = new Int32Array(labels.length);
    const sums = new Float64Array(labels.length * width);
    const ids: string[] = [];
    const sources: (string | undefined)[] = [];
    let row = 0;
    for (const [classIndex, { label, examples }] of ordered.entries()) {
      const record = this.#record(label);
      sums.set(record.sums, classIndex * width);
      counts[classIndex] = record.examples.size;
      for (const example of examples) {
        codes.set(example.codes, row * width);
        // The view becomes the only copy of the codes: the arrays that the examples came with can be freed.
        record.examples.set(example.id, { ...example, codes: codes.subarray(row * width, (row + 1) * width) });
        classIndices[row] = classIndex;
        ids.push(example.id);
        sources.push(example.source);
        row++;
      }
    }
    const numClasses = labels.length;
    return { taps, dim, width, numClasses, numExamples, codes, classIndices, counts, sums, labels, ids, sources };
  }

  /** Shares the codes, which are never written. */
  #clone(): ExampleMemory {
    const copy = new ExampleMemory(this.taps, this.dim);
    for (const [label, { examples, sums }] of this.#classes) {
      copy.#classes.set(label, { examples: new Map(examples), sums: sums.slice() });
    }
    copy.#numExamples = this.#numExamples;
    return copy;
  }

  #record(label: string): ClassRecord {
    return classRecord(this.#classes, label);
  }

  #checkWidth(example: Example): void {
    if (example.codes.length !== this.width) {
      throw new ImprintError(
        'INVALID_EMBEDDING',
        `Expected ${this.width} codes for example ${JSON.stringify(example.id)}, got ${example.codes.length}. Check that it comes from this classifier's backbone.`,
      );
    }
  }
}

/** Each once. @throws EXAMPLE_NOT_FOUND */
function examplesNamed(label: string, { examples }: ClassRecord, ids: readonly string[]): Example[] {
  return [...new Set(ids)].map((id) => {
    const example = examples.get(id);
    if (example !== undefined) return example;
    throw new ImprintError(
      'EXAMPLE_NOT_FOUND',
      `Expected an example of class ${JSON.stringify(label)}, got id ${JSON.stringify(id)}, which it does not have. Ids are listed by examples(label).`,
    );
  });
}

/** By ids, then by codes, then by how many there are; both sorted by id. */
function compareContent(a: readonly Example[], b: readonly Example[]): number {
  const both = Math.min(a.length, b.length);
  for (let i = 0; i < both; i++) if (a[i].id !== b[i].id) return compareText(a[i].id, b[i].id);
  for (let i = 0; i < both; i++) {
    for (let j = 0; j < a[i].codes.length; j++) {
      if (a[i].codes[j] !== b[i].codes[j]) return a[i].codes[j] - b[i].codes[j];
    }
  }
  return a.length - b.length;
}

function accumulate(sums: Float64Array, codes: Int8Array, sign: 1 | -1): void {
  for (let i = 0; i < codes.length; i++) sums[i] += sign * codes[i];
}

/** One example out of two with the same id: symmetric in its arguments, and associative while no two are refused. */
function reconcile(label: string, a: Example, b: Example): Example {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  let order = 0;
  for (let i = 0; i < a.codes.length; i++) {
    dot += a.codes[i] * b.codes[i];
    squaresA += a.codes[i] * a.codes[i];
    squaresB += b.codes[i] * b.codes[i];
    if (order === 0) order = a.codes[i] - b.codes[i];
  }
  if (!(dot >= SAME_CONTENT_COSINE * Math.sqrt(squaresA * squaresB))) {
    throw new ImprintError(
      'INVALID_ARGUMENT',
      `Expected one picture for id ${JSON.stringify(a.id)} of class ${JSON.stringify(label)}, got two that differ. Give each its own id, or remove the first with removeExamples.`,
    );
  }
  const source =
    a.source === undefined || b.source === undefined
      ? (a.source ?? b.source)
      : compareText(a.source, b.source) <= 0
        ? a.source
        : b.source;
  const kept = order <= 0 ? a : b;
  return kept.source === source ? kept : { ...kept, source };
}
