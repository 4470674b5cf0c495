/**
 * Runs a continual-learning protocol over codes: the memory grows task by task, the head is solved from it, every task
 * is asked about.
 */

import { ImprintError } from '../errors.ts';
import type { FitContext, Head } from '../head.ts';
import { ExampleMemory } from '../memory/example-memory.ts';
import { forgettingFigures, type ForgettingFigures } from './forgetting.ts';
import type { Protocol } from './protocols.ts';

/** Codes with their class indices. */
export interface LabelledCodes {
  readonly taps: number;
  readonly dim: number;
  /** Int8Array, classIndices.length x taps x dim, row-major. */
  readonly codes: Int8Array;
  /** Int32Array, one a row. */
  readonly classIndices: Int32Array;
}

export interface ProtocolResult extends ForgettingFigures {
  readonly protocol: string;
  readonly tasks: readonly string[];
  /**
   * R[t][i]: accuracy on task i after learning tasks 0 to t. Tasks without test rows have neither row nor column: they count to the
   * task before them, which is asked about when the next one comes, or at the end. So the last row is of the final model.
   */
  readonly accuracies: readonly (readonly number[])[];
  /** Class indices that were learned, ascending. */
  readonly classIndices: readonly number[];
  /** Scores of every test row from the final model, numTest x classIndices.length, row-major, in the order of `classIndices`. */
  readonly finalScores: Float64Array;
}

/**
 * @throws NO_EXAMPLES where no task has both training and test rows
 */
export async function runProtocol(
  protocol: Protocol,
  train: LabelledCodes,
  test: LabelledCodes,
  head: Head,
  context: FitContext,
): Promise<ProtocolResult> {
  const memory = new ExampleMemory(train.taps, train.dim);
  const asked = protocol.tasks.map((_, t) => t).filter((t) => protocol.tasks[t].test.length > 0);
  if (asked.length === 0 || protocol.tasks.every((task) => task.train.length === 0)) {
    throw new ImprintError(
      'NO_EXAMPLES',
      `Expected ${protocol.name} tasks with training and test rows, got none. Check the split.`,
    );
  }
  const rows: number[][] = [];
  let final: ClassScores = { classes: [], scores: new Float64Array(0) };
  // States are asked just before the next task with test rows.
  const states = [...asked.slice(1), protocol.tasks.length];
  let t = 0;
  for (const next of states) {
    context.signal?.throwIfAborted();
    for (; t < next; t++) for (const row of protocol.tasks[t].train) addRow(memory, train, row);
    final = await scoreAll(memory, test, head, context);
    rows.push(asked.map((i) => taskAccuracy(protocol, i, test.classIndices, final)));
  }
  const chance = Float64Array.from(asked, (i) => 1 / numCandidates(protocol, i, test.classIndices, memory.numClasses));
  return {
    protocol: protocol.name,
    tasks: asked.map((t) => protocol.tasks[t].name),
    accuracies: rows,
    ...forgettingFigures(Float64Array.from(rows.flat()), chance),
    classIndices: final.classes,
    finalScores: final.scores,
  };
}

/**
 * How far the final models of several runs of one training set lie apart: 0 where learning does not depend on order.
 */
export interface OrderSpread {
  readonly runs: number;
  /** Largest difference of any test score between any run and the first. */
  readonly largestScoreDifference: number;
  /** Highest less lowest final accuracy over all test rows. */
  readonly accuracySpread: number;
}

/**
 * Compares the final models of protocols that bring the same rows in different orders.
 * @param results of `runProtocol` on one training and test set
 */
export function orderSpread(results: readonly ProtocolResult[], test: LabelledCodes): OrderSpread {
  const n = test.classIndices.length;
  let largest = 0;
  let lowest = Infinity;
  let highest = -Infinity;
  for (const { classIndices, finalScores } of results) {
    const numClasses = classIndices.length;
    for (let j = 0; j < finalScores.length; j++) {
      largest = Math.max(largest, Math.abs(finalScores[j] - results[0].finalScores[j]));
    }
    let correct = 0;
    for (let i = 0; i < n; i++) {
      const row = finalScores.subarray(i * numClasses, (i + 1) * numClasses);
      if (classIndices[row.indexOf(Math.max(...row))] === test.classIndices[i]) correct++;
    }
    lowest = Math.min(lowest, correct / n);
    highest = Math.max(highest, correct / n);
  }
  return {
    runs: results.length,
    largestScoreDifference: largest,
    accuracySpread: results.length > 0 ? highest - lowest : 0,
  };
}

function addRow(memory: ExampleMemory, { codes, classIndices, taps, dim }: LabelledCodes, row: number): void {
  const width = taps * dim;
  const code = codes.slice(row * width, (row + 1) * width);
  // Ids of fixed length: their canonical order is the order of rows.
  memory.add(digits(classIndices[row]), [{ id: digits(row), source: undefined, codes: code }]);
}

function digits(value: number): string {
  return String(value).padStart(9, '0');
}

interface ClassScores {
  /** Class index of each column, ascending. */
  readonly classes: readonly number[];
  /** Float64Array, numTest x classes.length, row-major. */
  readonly scores: Float64Array;
}

async function scoreAll(
  memory: ExampleMemory,
  test: LabelledCodes,
  head: Head,
  context: FitContext,
): Promise<ClassScores> {
  const view = memory.view();
  const { numClasses } = view;
  const fitted = await head.fit(view, context);
  const n = test.classIndices.length;
  const found = (await fitted.scores?.(test.codes, n)) ?? new Float64Array(n * numClasses);
  if (fitted.scores === undefined) fitted.scoresInto(test.codes, n, found);
  // The memory orders classes by what is in them.
  const owners = view.labels.map(Number);
  const columns = [...owners.keys()].sort((a, b) => owners[a] - owners[b]);
  const scores = new Float64Array(found.length);
  for (let at = 0; at < scores.length; at += numClasses) {
    for (let k = 0; k < numClasses; k++) scores[at + k] = found[at + columns[k]];
  }
  return { classes: columns.map((column) => owners[column]), scores };
}

/** Share of a task's test rows whose own class has the highest score among the candidates. */
function taskAccuracy(protocol: Protocol, task: number, truth: Int32Array, { classes, scores }: ClassScores): number {
  const rows = protocol.tasks[task].test;
  const told = protocol.taskIsTold ? new Set(rows.map((row) => truth[row])) : undefined;
  const candidates = [...classes.keys()].filter((k) => told === undefined || told.has(classes[k]));
  let correct = 0;
  for (const row of rows) {
    let best = -1;
    for (const k of candidates) {
      if (best < 0 || scores[row * classes.length + k] > scores[row * classes.length + best]) best = k;
    }
    if (best >= 0 && classes[best] === truth[row]) correct++;
  }
  return correct / rows.length;
}

function numCandidates(protocol: Protocol, task: number, truth: Int32Array, numClasses: number): number {
  return protocol.taskIsTold ? new Set(protocol.tasks[task].test.map((row) => truth[row])).size : numClasses;
}
