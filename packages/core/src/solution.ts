/** Everything that is solved from one state of the content: head, calibration, novelty. Thrown away when that changes. */

import type { Content } from './content.ts';
import { chooseHead } from './heads/choose.ts';
import { requireHeadName, requireStatisticsHeadName } from './heads/head-names.ts';
import type { FitContext, FittedHead, HeadReport } from './head.ts';
import { loadSeldom } from './load-seldom.ts';
import { ClassStatistics } from './memory/class-statistics.ts';
import type { MemoryView } from './memory/example-memory.ts';
import { predict, predictOne, type PredictOptions } from './predict.ts';
import type { NearestExample, Prediction } from './prediction.ts';
import { codeSquares, nearestExamples } from './scores/nearest.ts';
import { fitCalibration, type Calibration } from './scores/top-label-calibration.ts';
import { fitUnknownDetector, type UnknownDetector } from './scores/unknown.ts';

export interface Solution {
  readonly labels: readonly string[];
  readonly head: FittedHead;
  /** Of the head's scores. */
  readonly calibration: Calibration;
  readonly report: HeadReport;
  /** What single examples allow; absent in statistics mode. */
  readonly examples?: { readonly memory: MemoryView; readonly detector: UnknownDetector };
  /**
   * Predictions of queries.
   * @param codes Int8Array, numQueries x width, row-major
   * @throws INVALID_ARGUMENT for `top` or `nearest` that are no counts
   */
  predict(codes: Int8Array, numQueries: number, options: PredictOptions): Promise<Prediction[]>;
  /** The same of one query, at once. */
  predictOne(codes: Int8Array, options: PredictOptions): Prediction;
}

/** Refuses a head that there is not, or that needs examples where only sums are kept. @throws INVALID_ARGUMENT */
export function checkHead(name: string, content: Content): void {
  if (content instanceof ClassStatistics) requireStatisticsHeadName(name);
  else requireHeadName(name);
}

/** Solves from a content that has at least one class. */
export async function solve(
  content: Content,
  head: string,
  unknownBelow: number,
  context: FitContext,
): Promise<Solution> {
  if (!(content instanceof ClassStatistics)) {
    const view = content.view();
    await context.yieldToHost?.();
    return solveExamples(view, head, unknownBelow, context);
  }
  const { solveStatistics } = await loadSeldom();
  return solveStatistics(content, head, unknownBelow, context);
}

async function solveExamples(
  memory: MemoryView,
  name: string,
  unknownBelow: number,
  context: FitContext,
): Promise<Solution> {
  const { labels, width } = memory;
  const { head, calibration, detector } =
    solvedBefore(memory, name, context) ?? (await solveAnew(memory, name, context));
  const squares = await squaresOf(memory, context);
  const { ids, sources, classIndices } = memory;
  const nearest = (query: Int8Array, count: number): NearestExample[] =>
    nearestExamples(memory, query, count, squares).map(({ row, similarity }) => ({
      id: ids[row],
      label: labels[classIndices[row]],
      similarity,
      source: sources[row],
    }));
  const scores = new Float64Array(labels.length);
  const parts = { labels, width, scores, head, calibration, detector, unknownBelow, nearest };
  return {
    labels,
    head,
    calibration,
    report: head.report,
    examples: { memory, detector },
    predict: (codes, numQueries, options) => predict(parts, codes, numQueries, options),
    predictOne: (codes, options) => predictOne(parts, codes, options),
  };
}

/** Codes read between two turns of the host. */
const TURN_CODES = 2 ** 24;

/** `codeSquares`, with turns for the host. */
async function squaresOf({ codes, numExamples, width }: MemoryView, { yieldToHost }: FitContext): Promise<Int32Array> {
  const squares = new Int32Array(numExamples);
  const rows = Math.max(1, Math.floor(TURN_CODES / width));
  for (let first = 0; first < numExamples; first += rows) {
    const count = Math.min(rows, numExamples - first);
    squares.set(codeSquares({ codes: codes.subarray(first * width), numExamples: count, width }), first);
    await yieldToHost?.();
  }
  return squares;
}

/** What does not depend on names. */
interface Solved {
  readonly classIndices: Int32Array;
  readonly head: FittedHead;
  readonly calibration: Calibration;
  readonly detector: UnknownDetector;
}

/** The last solve, where nothing but names has changed since; never one for more of leave-one-out than usual. */
function solvedBefore(
  { codes, width, classIndices }: MemoryView,
  name: string,
  context: FitContext,
): Solved | undefined {
  if (context.leaveOneOutEntries !== undefined) return undefined;
  const carried = context.carry?.take<Solved>('solved', name, codes, width);
  if (carried === undefined || carried.numBefore !== classIndices.length) return undefined;
  const { value, sources } = carried;
  return sources.every((from, i) => from === i && value.classIndices[i] === classIndices[i]) ? value : undefined;
}

async function solveAnew(memory: MemoryView, name: string, context: FitContext): Promise<Solved> {
  const unfitted = name === 'auto' ? chooseHead(loadSeldom) : (await loadSeldom()).headNamed(name);
  const head = await unfitted.fit(memory, context);
  const { codes, numClasses, numExamples, classIndices } = memory;
  await context.yieldToHost?.();
  const leftOut = head.leaveOneOut();
  const rows = head.leaveOneOutRows;
  const calibration = await fitCalibration(leftOut, classIndices, numExamples, numClasses, rows, context);
  await context.yieldToHost?.();
  const detector = await fitUnknownDetector(memory, context);
  const solved = { classIndices, head, calibration, detector };
  if (context.leaveOneOutEntries === undefined) context.carry?.put('solved', name, codes, solved);
  return solved;
}
