/** Everything that is solved from one state of the memory: head, calibration, novelty. Thrown away when the memory changes. */

import { headNamed } from './heads/head-named.ts';
import type { Gemm } from './gemm.ts';
import type { FitContext, FittedHead, HeadReport } from './head.ts';
import { typedArrayGemm } from './linalg/typed-array-gemm.ts';
import type { MemoryView } from './memory/example-memory.ts';
import type { NearestExample, Prediction, RankedLabel } from './prediction.ts';
import { fitTemperature, probabilitiesInto } from './scores/calibration.ts';

import { codeSquares, nearestExamples } from './scores/nearest.ts';
import { fitUnknownDetector, type UnknownDetector } from './scores/unknown.ts';
import { expected } from './errors.ts';

export interface SolveOptions {
  readonly head: string;
  readonly unknownBelow: number;
  readonly gemm?: Gemm;
  readonly yieldToHost?: () => Promise<void>;
}

export interface PredictOptions {
  /** Classes in `ranking`. Default 5. */
  readonly top?: number;
  /** Examples in `nearest`. Default 3; 0 leaves them out. */
  readonly nearest?: number;
}

export interface Solution {
  readonly memory: MemoryView;
  readonly head: FittedHead;
  readonly detector: UnknownDetector;
  /** Softmax temperature that makes leave-one-out scores likeliest. */
  readonly temperature: number;
  readonly report: HeadReport;
  /**
   * Predictions of queries.
   * @param codes Int8Array, numQueries x width, row-major
   * @throws INVALID_ARGUMENT for `top` or `nearest` that are no counts
   */
  predict(codes: Int8Array, numQueries: number, options: PredictOptions): Promise<Prediction[]>;
}

/** Solves head, calibration and novelty from `memory`, which has at least one class. */
export async function solve(memory: MemoryView, options: SolveOptions): Promise<Solution> {
  const { gemm = typedArrayGemm, yieldToHost, unknownBelow } = options;
  const context: FitContext = yieldToHost === undefined ? { gemm } : { gemm, yieldToHost };
  const head = await headNamed(options.head).fit(memory, context);
  const { numClasses, numExamples, classIndices } = memory;
  await yieldToHost?.();
  const temperature = fitTemperature(head.leaveOneOut(), classIndices, numExamples, numClasses, head.leaveOneOutRows);
  await yieldToHost?.();
  const detector = await fitUnknownDetector(memory, context);

  const squares = codeSquares(memory);
  return {
    memory,
    head,
    detector,
    temperature,
    report: head.report,
    async predict(codes, numQueries, { top = 5, nearest = 3 }) {
      checkCount('top', top, 1);
      checkCount('nearest', nearest, 0);
      const probabilities = await headScores(head, codes, numQueries);
      probabilitiesInto(probabilities, numQueries, numClasses, temperature, probabilities);
      const strangeness = new Float64Array(numQueries);
      const pValues = new Float64Array(numQueries);
      detector.detectInto(codes, numQueries, strangeness, pValues);
      return Array.from({ length: numQueries }, (_, query) => {
        const row = probabilities.subarray(query * numClasses, (query + 1) * numClasses);
        const ranking = rank(row, memory.labels, top);
        const known = pValues[query] >= unknownBelow;
        return {
          label: known ? ranking[0].label : null,
          known,
          confidence: ranking[0].probability,
          novelty: pValues[query],
          strangeness: strangeness[query],
          ranking,
          nearest: nearestOf(
            memory,
            squares,
            codes.subarray(query * memory.width, (query + 1) * memory.width),
            nearest,
          ),
        };
      });
    },
  };
}

async function headScores(head: FittedHead, codes: Int8Array, numQueries: number): Promise<Float64Array> {
  if (head.scores !== undefined && numQueries > 1) return head.scores(codes, numQueries);
  const scores = new Float64Array(numQueries * head.numClasses);
  head.scoresInto(codes, numQueries, scores);
  return scores;
}

/** The `top` likeliest classes, best first; equal ones in class order. */
function rank(probabilities: Float64Array, labels: readonly string[], top: number): RankedLabel[] {
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  return order
    .slice(0, top)
    .map((classIndex) => ({ label: labels[classIndex], probability: probabilities[classIndex] }));
}

function nearestOf(memory: MemoryView, squares: Int32Array, query: Int8Array, count: number): NearestExample[] {
  return nearestExamples(memory, query, count, squares).map(({ row, similarity }) => ({
    id: memory.ids[row],
    label: memory.labels[memory.classIndices[row]],
    similarity,
    source: memory.sources[row],
  }));
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw expected(name, `an integer of at least ${least}`, value);
}
