/**
 * The memory of statistics mode: counts, class sums and one Gram matrix, all exact integers, constant in the number of
 * examples. Nothing in it is a picture's code: it serves privacy, and millions of examples. What needs single examples
 * (removal by id, nearest examples, leave-one-out) is refused.
 */

import { expected, ImprintError } from '../errors.ts';
import { classRecord, renameKey, type ClassSummary } from './class-map.ts';
import { LARGEST_CODE } from './codes.ts';
import { compareText } from './label.ts';
import type { StatisticsMemory } from '../head.ts';

/** The canonical view, with the classes' labels. */
export interface StatisticsView extends StatisticsMemory {
  /** Labels in class index order, ascending by UTF-16 units. */
  readonly labels: readonly string[];
}

/** Counts are saved in 32 bits; sums of so many codes and of their products are exact in float64. */
export const MOST_EXAMPLES = 2 ** 31 - 1;

/** Columns that a Gram matrix may have: 2 GB. */
const MOST_COLUMNS = 2 ** 14;

interface ClassRecord {
  count: number;
  readonly sums: Float64Array;
}

/** What examples come to: their number, the sum of their codes (width) and their Gram matrix (width x width). */
export interface ExampleSums {
  readonly count: number;
  readonly sums: Float64Array;
  readonly gram: Float64Array;
}

export class ClassStatistics {
  readonly taps: number;
  readonly dim: number;
  readonly width: number;
  readonly #classes = new Map<string, ClassRecord>();
  readonly #gram: Float64Array;
  #numExamples = 0;

  constructor(taps: number, dim: number) {
    this.taps = taps;
    this.dim = dim;
    this.width = taps * dim;
    if (this.width > MOST_COLUMNS) {
      const next = 'Use fewer taps, or memory "examples".';
      throw expected(
        'taps x dim',
        `at most ${MOST_COLUMNS} numbers an example for memory "statistics"`,
        this.width,
        next,
      );
    }
    this.#gram = new Float64Array(this.width * this.width);
  }

  /** Sums that were saved; the arrays become the memory's own. */
  static of(view: StatisticsView): ClassStatistics {
    const statistics = new ClassStatistics(view.taps, view.dim);
    const { width } = statistics;
    for (const [k, label] of view.labels.entries()) {
      const record = { count: view.counts[k], sums: view.sums.slice(k * width, (k + 1) * width) };
      statistics.#classes.set(label, record);
      statistics.#numExamples += record.count;
    }
    statistics.#gram.set(view.gram);
    return statistics;
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
      .map(([label, { count }]) => ({ label, count }))
      .sort((a, b) => compareText(a.label, b.label));
  }

  /** Adds to a class, making it where it is new. The same picture twice counts twice: nothing here can tell. @returns how many */
  add(label: string, added: ExampleSums): number {
    if (added.count === 0) return 0;
    this.#requireRoom(added.count);
    const record = this.#classes.get(label) ?? { count: 0, sums: new Float64Array(this.width) };
    this.#classes.set(label, record);
    this.#accumulate(record, added, 1);
    return added.count;
  }

  /**
   * Takes examples out again, exactly: they have to be those that went in. A class left with none goes.
   * @throws CLASS_NOT_FOUND; INVALID_ARGUMENT where their sums show that they were not in the class (`requirePossibleSums` sees more), and
   *   then nothing has changed
   */
  subtract(label: string, removed: ExampleSums): void {
    const record = this.#record(label);
    const left = record.count - removed.count;
    // A sum of codes is at most 127 a count, and 0 for none: a cheap way to notice examples that were never in.
    if (left < 0 || record.sums.some((sum, j) => Math.abs(sum - removed.sums[j]) > LARGEST_CODE * left)) {
      throw neverIn(label, record.count, removed.count);
    }
    this.#accumulate(record, removed, -1);
    if (left === 0) this.#classes.delete(label);
  }

  /** Gives a class another label. @throws CLASS_NOT_FOUND; CLASS_EXISTS where `to` is another class */
  rename(from: string, to: string): void {
    renameKey(this.#classes, from, to);
  }

  /** Moves everything of `from` into `into`; the Gram matrix does not even change. @throws CLASS_NOT_FOUND */
  mergeClasses(from: string, into: string): void {
    const [source, target] = [this.#record(from), this.#record(into)];
    target.count += source.count;
    for (let j = 0; j < this.width; j++) target.sums[j] += source.sums[j];
    this.#classes.delete(from);
  }

  /** Adds another memory's sums. A picture in both counts twice. */
  merge(other: ClassStatistics): void {
    this.#requireRoom(other.numExamples);
    const nothing = new Float64Array(0);
    for (const [label, { count, sums }] of other.#classes) this.add(label, { count, sums, gram: nothing });
    for (let i = 0; i < this.#gram.length; i++) this.#gram[i] += other.#gram[i];
  }

  /** The canonical view: copies, so that a head that is being solved from it is not disturbed by the next change. */
  view(): StatisticsView {
    const { taps, dim, width } = this;
    const labels = [...this.#classes.keys()].sort(compareText);
    const counts = Int32Array.from(labels, (label) => this.#record(label).count);
    const sums = new Float64Array(labels.length * width);
    for (const [k, label] of labels.entries()) sums.set(this.#record(label).sums, k * width);
    const gram = this.#gram.slice();
    return { taps, dim, width, numClasses: labels.length, numExamples: this.#numExamples, counts, sums, gram, labels };
  }

  #accumulate(record: ClassRecord, { count, sums, gram }: ExampleSums, sign: 1 | -1): void {
    for (let j = 0; j < sums.length; j++) record.sums[j] += sign * sums[j];
    for (let i = 0; i < gram.length; i++) this.#gram[i] += sign * gram[i];
    record.count += sign * count;
    this.#numExamples += sign * count;
  }

  /** @throws INVALID_ARGUMENT, before anything has changed */
  #requireRoom(count: number): void {
    const total = this.#numExamples + count;
    if (total > MOST_EXAMPLES) throw expected('examples', `at most ${MOST_EXAMPLES} in all`, total);
  }

  #record(label: string): ClassRecord {
    return classRecord(this.#classes, label);
  }
}

/** The error for what was never in. */
export function neverIn(label: string, count: number, removed: number): ImprintError {
  return new ImprintError(
    'INVALID_ARGUMENT',
    `Expected examples that class ${JSON.stringify(label)} was learned from (it has ${count}), got ${removed} that cannot all be. Pass the same inputs as when they were added.`,
  );
}
