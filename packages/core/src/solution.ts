/** Everything that is solved from one state of the content: head, calibration, novelty. Thrown away when that changes. */

import type { Content } from './content.ts';
import { expected } from './errors.ts';
import { headNamed, STATISTICS_HEAD_NAMES, statisticsHeadNamed } from './heads/head-named.ts';
import type { FitContext, FittedHead, HeadReport } from './head.ts';
import { ClassStatistics } from './memory/class-statistics.ts';
import type { MemoryView } from './memory/example-memory.ts';
import type { NearestExample, Prediction, RankedLabel } from './prediction.ts';
import { codeSquares, nearestExamples } from './scores/nearest.ts';
import { fitStatisticsDetector } from './scores/statistics-detector.ts';
import { statisticsTemperature } from './scores/statistics-temperature.ts';
import { calibratedProbabilitiesInto, fitCalibration, type Calibration } from './scores/top-label-calibration.ts';
import { fitUnknownDetector, type UnknownDetector } from './scores/unknown.ts';

export interface PredictOptions {
  /** Classes in `ranking`. Default 5. */
  readonly top?: number;
  /** Examples in `nearest`. Default 3; 0 leaves them out. There are none in statistics mode. */
  readonly nearest?: number;
}

export interface Solution {
  readonly labels: readonly string[];
  readonly head: FittedHead;
  /** Softmax temperature of the head's scores. */
  readonly temperature: number;
  readonly report: HeadReport;
  /** What single examples allow; absent in statistics mode. */
  readonly examples?: { readonly memory: MemoryView; readonly detector: UnknownDetector };
  /**
   * Predictions of queries.
   * @param codes Int8Array, numQueries x width, row-major
   * @throws INVALID_ARGUMENT for `top` or `nearest` that are no counts
   */
  predict(codes: Int8Array, numQueries: number, options: PredictOptions): Promise<Prediction[]>;
}

/** What a prediction is put together from, in either memory mode. */
interface Parts {
  readonly labels: readonly string[];
  readonly width: number;
  readonly head: FittedHead;
  readonly calibration: Calibration;
  readonly detector: Pick<UnknownDetector, 'detectInto'>;
  nearest(query: Int8Array, count: number): NearestExample[];
}

/** Refuses a head that there is not, or that needs examples where only sums are kept. @throws INVALID_ARGUMENT */
export function checkHead(name: string, content: Content): void {
  headNamed(name);
  if (content instanceof ClassStatistics && !STATISTICS_HEAD_NAMES.includes(name)) {
    throw expected('head', `one of ${STATISTICS_HEAD_NAMES.join(', ')} with memory "statistics"`, name);
  }
}

/** Solves from a content that has at least one class. */
export async function solve(
  content: Content,
  head: string,
  unknownBelow: number,
  context: FitContext,
): Promise<Solution> {
  return content instanceof ClassStatistics
    ? solveStatistics(content, head, unknownBelow, context)
    : solveExamples(content.view(), head, unknownBelow, context);
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
  const nearest = (query: Int8Array, count: number): NearestExample[] =>
    nearestExamples(memory, query, count, squares).map(({ row, similarity }) => ({
      id: memory.ids[row],
      label: labels[memory.classIndices[row]],
      similarity,
      source: memory.sources[row],
    }));
  const parts = { labels, width, head, calibration, detector, nearest };
  return {
    labels,
    head,
    temperature: calibration.temperature,
    report: head.report,
    examples: { memory, detector },
    predict: (codes, numQueries, options) => predict(parts, unknownBelow, codes, numQueries, options),
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
  const head = await headNamed(name).fit(memory, context);
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

async function solveStatistics(
  content: ClassStatistics,
  name: string,
  unknownBelow: number,
  context: FitContext,
): Promise<Solution> {
  const statistics = content.view();
  const { labels, width } = statistics;
  const head = await statisticsHeadNamed(name, statistics).fitFromStatistics(statistics, context);
  const temperature = await statisticsTemperature(head, statistics, context);
  const detector = await fitStatisticsDetector(statistics, context);
  const calibration = { temperature, slope: 1, offset: 0 };
  const parts = { labels, width, head, calibration, detector, nearest: () => [] };
  return {
    labels,
    head,
    temperature,
    report: head.report,
    predict: (codes, numQueries, options) => predict(parts, unknownBelow, codes, numQueries, options),
  };
}

async function predict(
  { labels, width, head, calibration, detector, nearest: nearestOf }: Parts,
  unknownBelow: number,
  codes: Int8Array,
  numQueries: number,
  { top = 5, nearest = 3 }: PredictOptions,
): Promise<Prediction[]> {
  checkCount('top', top, 1);
  checkCount('nearest', nearest, 0);
  const numClasses = labels.length;
  const probabilities = await headScores(head, codes, numQueries);
  calibratedProbabilitiesInto(probabilities, numQueries, numClasses, calibration, probabilities);
  const strangeness = new Float64Array(numQueries);
  const pValues = new Float64Array(numQueries);
  detector.detectInto(codes, numQueries, strangeness, pValues);
  return Array.from({ length: numQueries }, (_, query) => {
    const ranking = rank(probabilities.subarray(query * numClasses, (query + 1) * numClasses), labels, top);
    const known = pValues[query] >= unknownBelow;
    return {
      label: known ? ranking[0].label : null,
      known,
      confidence: ranking[0].probability,
      novelty: pValues[query],
      strangeness: strangeness[query],
      ranking,
      nearest: nearestOf(codes.subarray(query * width, (query + 1) * width), nearest),
    };
  });
}

async function headScores(head: FittedHead, codes: Int8Array, numQueries: number): Promise<Float64Array> {
  if (head.scores !== undefined && numQueries > 1) return head.scores(codes, numQueries);
  const scores = new Float64Array(numQueries * head.numClasses);
  head.scoresInto(codes, numQueries, scores);
  return scores;
}

/** The `top` likeliest classes, best first; equal ones in class order. One pass: a class is compared with the last of the best. */
function rank(probabilities: Float64Array, labels: readonly string[], top: number): RankedLabel[] {
  const kept = Math.min(top, labels.length);
  const best = new Int32Array(kept);
  let found = 0;
  for (let k = 0; k < labels.length; k++) {
    const probability = probabilities[k];
    if (found === kept && !(probability > probabilities[best[kept - 1]])) continue;
    let at = found < kept ? found++ : kept - 1;
    for (; at > 0 && probability > probabilities[best[at - 1]]; at--) best[at] = best[at - 1];
    best[at] = k;
  }
  return Array.from(best, (classIndex) => ({ label: labels[classIndex], probability: probabilities[classIndex] }));
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw expected(name, `an integer of at least ${least}`, value);
}
