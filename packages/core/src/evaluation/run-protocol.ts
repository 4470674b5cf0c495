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
   * R[t][i]: accuracy on task i after learning tasks 0 to t. Tasks without test rows are left out of rows and columns
   * alike.
   */
  readonly accuracies: readonly (readonly number[])[];
  /** Scores of every test row from the final model, numTest x numClasses, row-major, in order of class index. */
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
  let finalScores = new Float64Array(0);
  for (let t = 0; t < protocol.tasks.length; t++) {
    context.signal?.throwIfAborted();
    for (const row of protocol.tasks[t].train) addRow(memory, train, row);
    if (!asked.includes(t) && t < protocol.tasks.length - 1) continue;
    const { classes, scores } = await scoreAll(memory, test, head, context);
    if (asked.includes(t)) rows.push(asked.map((i) => taskAccuracy(protocol, i, test.classIndices, classes, scores)));
    if (t === protocol.tasks.length - 1) finalScores = scores;
  }
  const chance = Float64Array.from(asked, (i) => 1 / numCandidates(protocol, i, test.classIndices, memory.numClasses));
  return {
    protocol: protocol.name,
    tasks: asked.map((t) => protocol.tasks[t].name),
    accuracies: rows,
    ...forgettingFigures(Float64Array.from(rows.flat()), chance),
    finalScores,
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
  for (const { finalScores } of results) {
    const numClasses = finalScores.length / n;
    for (let j = 0; j < finalScores.length; j++) {
      largest = Math.max(largest, Math.abs(finalScores[j] - results[0].finalScores[j]));
    }
    let correct = 0;
    for (let i = 0; i < n; i++) {
      const row = finalScores.subarray(i * numClasses, (i + 1) * numClasses);
      if (row.indexOf(Math.max(...row)) === test.classIndices[i]) correct++;
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
  // Labels and ids of fixed length: their canonical order is the order of class indices and rows.
  memory.add(digits(classIndices[row]), [{ id: digits(row), source: undefined, codes: code }]);
}

function digits(value: number): string {
  return String(value).padStart(9, '0');
}

async function scoreAll(
  memory: ExampleMemory,
  test: LabelledCodes,
  head: Head,
  context: FitContext,
): Promise<{ classes: number[]; scores: Float64Array<ArrayBuffer> }> {
  const view = memory.view();
  const fitted = await head.fit(view, context);
  const n = test.classIndices.length;
  const scores = new Float64Array(n * view.numClasses);
  if (fitted.scores === undefined) fitted.scoresInto(test.codes, n, scores);
  else scores.set(await fitted.scores(test.codes, n));
  return { classes: view.labels.map(Number), scores };
}

/** Share of a task's test rows whose own class has the highest score among the candidates. */
function taskAccuracy(
  protocol: Protocol,
  task: number,
  truth: Int32Array,
  classes: readonly number[],
  scores: Float64Array,
): number {
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
