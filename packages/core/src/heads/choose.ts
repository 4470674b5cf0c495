/**
 * The default head: a ridge and a shrunk discriminant, blended by what leave-one-out says of them, on taps weighted by how
 * many examples there are to weigh them with. Evidence moves weights, it does not flip switches: one more example changes
 * the blend a little.
 */

import type { FitContext, FittedHead, Head, Memory } from '../head.ts';
import { arcCosineKernel } from './arc-cosine-kernel.ts';
import { typicalShots } from './class-balance.ts';
import { discriminant } from './discriminant.ts';
import type { UpdateDual } from './dual-base.ts';
import { leaveOneOutAccuracy, winnersAccuracy, type LeaveOneOutAccuracy } from './leave-one-out.ts';
import { manyScores } from './many-scores.ts';
import { nearestClassMean } from './nearest-class-mean.ts';
import type { RidgeOnFeatures } from './ridge-on-features.ts';
import { fitRidgeOnKernel } from './ridge-on-kernel.ts';

/** Shares of the ridge in the blend that leave-one-out compares. */
const SHARES = [0, 0.25, 0.5, 0.75, 1];
/** A share one standard error of leave-one-out accuracy below the best weighs exp(-1.5) of it. */
const EVIDENCE = 1.5;
/** Examples per class beyond the first at which the earlier taps have half the say. */
const HALF_SHOTS = 1.5;

/**
 * Up to this many examples the ridge has infinitely many features and solves examples x examples. Above, it has half as many
 * random features, whose kernel is the same up to noise, and solves features x features: the work then grows with the
 * examples alone. Measured at 2,020 examples (Caltech-101, 20 shots), ridge alone: infinitely many features 90.0 %,
 * 4,096 90.0 %, 2,048 89.5 %, 1,024 88.8 %.
 */
const MAX_ORDER = 4096;

/** Fewer examples a class than this (most have one), and leave-one-out has next to nothing to go by. */
export const MIN_SHOTS = 1.1;
/** Numbers in the ridge's coefficients: 128 MB. */
const MAX_COEFFICIENTS = 2 ** 24;

/** What `auto` does not always need. */
export interface AutoMethods {
  /** Above 4,096 examples. */
  readonly rademacherRidge: RidgeOnFeatures;
  /** After a change of more than 96 examples. */
  readonly updateDual: UpdateDual;
}

/** The head `auto`, for examples. @param methods asked for when they are needed */
export function chooseHead(methods: () => Promise<AutoMethods>): Head {
  return { name: 'auto', fit: (memory, context) => fitAuto(memory, context, methods) };
}

/** Steps of that share: one example more mostly leaves it where it was, and what was solved with it can be used again. */
const SHARE_STEPS = 32;

/**
 * How much of the weight is spread over all taps, from 0 (the first tap alone) to 1: `(s - 1) / (s - 1 + 1.5)` for s
 * examples a class, to the nearest 32nd. One example says nothing about which taps to trust; with more, the ridge and the
 * discriminant weigh directions themselves, and even weights let them.
 */
export function earlierTapsShare(taps: number, shots: number): number {
  return taps === 1 ? 0 : Math.round((SHARE_STEPS * (shots - 1)) / (shots - 1 + HALF_SHOTS)) / SHARE_STEPS;
}

async function fitAuto(memory: Memory, context: FitContext, methods: () => Promise<AutoMethods>): Promise<FittedHead> {
  const { numClasses, numExamples, counts, classIndices } = memory;
  const { maxOrder = MAX_ORDER } = context;
  const shots = typicalShots(counts);
  if (shots < MIN_SHOTS) {
    const reason = 'With one example a class nothing beats its own embedding: the prototype.';
    return alone(nearestClassMean({ taps: 'last' }), memory, context, reason);
  }
  const share = earlierTapsShare(memory.taps, shots);
  const infinite = numExamples <= maxOrder;
  const numFeatures = infinite ? numExamples : Math.ceil(maxOrder / 2);
  if (numFeatures * numClasses > MAX_COEFFICIENTS) {
    const reason = `A ridge of ${numClasses} classes would hold more than ${MAX_COEFFICIENTS} numbers: the discriminant alone.`;
    return alone(discriminant({ taps: share }), memory, context, reason);
  }
  const ridge = infinite
    ? await fitRidgeOnKernel(() => arcCosineKernel, memory, { taps: share }, context, {
        update: async () => (await methods()).updateDual,
      })
    : await (await methods()).rademacherRidge.fit(memory, { taps: share, numFeatures }, context);
  const linear = await discriminant({ taps: share }).fit(memory, context);
  const rows = ridge.leaveOneOutRows ?? Int32Array.from(classIndices.keys());
  const fromRidge = scaledScores(ridge.leaveOneOut(), numClasses);
  await context.yieldToHost?.();
  const fromLinear = scaledScores(linear.leaveOneOut(), numClasses);

  const winners = await blendWinners(fromRidge, fromLinear, numClasses, context);
  const measuredShares = winners.map((of) => winnersAccuracy(of, rows, classIndices, counts));
  const ridgeShare = averageShare(measuredShares);
  const leftOut = blend(fromRidge, fromLinear, ridgeShare);
  const measured = leaveOneOutAccuracy(leftOut, rows, classIndices, counts);

  const weightRidge = ridgeShare / fromRidge.scale;
  const weightLinear = (1 - ridgeShare) / fromLinear.scale;
  const combine = (a: Float64Array, b: Float64Array, out: Float64Array): void => {
    for (let i = 0; i < out.length; i++) out[i] = weightRidge * a[i] + weightLinear * b[i];
  };
  const scratch = new Float64Array(numClasses);
  return {
    report: {
      head: 'auto',
      parameters: {
        chosen: 'blend',
        ridgeShare,
        earlierTaps: share,
        lambda: ridge.report.parameters.lambda,
        shrinkage: linear.report.parameters.shrinkage,
      },
      ...(measured && { leaveOneOutAccuracy: measured.accuracy }),
      reason: explain(ridgeShare, ridge, linear, measured),
    },
    numClasses,
    leaveOneOutRows: rows,
    leaveOneOut: () => leftOut,
    scoresInto(codes, numQueries, out) {
      const scores = out.subarray(0, numQueries * numClasses);
      const other = numQueries === 1 ? scratch : new Float64Array(scores.length);
      ridge.scoresInto(codes, numQueries, scores);
      linear.scoresInto(codes, numQueries, other);
      combine(scores, other, scores);
    },
    async scores(codes, numQueries) {
      const out = await manyScores(linear, codes, numQueries);
      combine(await manyScores(ridge, codes, numQueries), out, out);
      return out;
    },
  };
}

/** One head under the name of auto. */
async function alone(head: Head, memory: Memory, context: FitContext, reason: string): Promise<FittedHead> {
  const fitted = await head.fit(memory, context);
  const parameters = { ...fitted.report.parameters, chosen: head.name };
  return { ...fitted, report: { ...fitted.report, head: 'auto', parameters, reason } };
}

interface ScaledScores {
  readonly scores: Float64Array;
  /** Mean over examples of the standard deviation of their scores over classes; 1 where they do not differ. */
  readonly scale: number;
}

function scaledScores(scores: Float64Array, numClasses: number): ScaledScores {
  const rows = scores.length / numClasses;
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    let mean = 0;
    let squares = 0;
    for (let c = i * numClasses; c < (i + 1) * numClasses; c++) mean += scores[c];
    mean /= numClasses;
    for (let c = i * numClasses; c < (i + 1) * numClasses; c++) squares += (scores[c] - mean) ** 2;
    sum += Math.sqrt(squares / numClasses);
  }
  return { scores, scale: sum > 0 ? sum / rows : 1 };
}

function blend(a: ScaledScores, b: ScaledScores, share: number): Float64Array {
  const weightA = share / a.scale;
  const weightB = (1 - share) / b.scale;
  const out = new Float64Array(a.scores.length);
  for (let i = 0; i < out.length; i++) out[i] = weightA * a.scores[i] + weightB * b.scores[i];
  return out;
}

/** Scores blended between two turns of the host. */
const TURN_SCORES = 2 ** 20;

/** For each of `SHARES` the class with the largest blended score in each row; the first of equals. */
async function blendWinners(
  a: ScaledScores,
  b: ScaledScores,
  numClasses: number,
  { yieldToHost }: FitContext,
): Promise<Int32Array[]> {
  const numRows = a.scores.length / numClasses;
  const winners = SHARES.map(() => new Int32Array(numRows));
  const turnRows = Math.max(1, Math.floor(TURN_SCORES / numClasses));
  for (let i = 0; i < numRows; i++) {
    const from = i * numClasses;
    for (const [k, share] of SHARES.entries()) {
      const weightA = share / a.scale;
      const weightB = (1 - share) / b.scale;
      let highest = -Infinity;
      let best = 0;
      for (let c = 0; c < numClasses; c++) {
        const score = weightA * a.scores[from + c] + weightB * b.scores[from + c];
        if (score > highest) {
          highest = score;
          best = c;
        }
      }
      winners[k][i] = best;
    }
    if ((i + 1) % turnRows === 0) await yieldToHost?.();
  }
  return winners;
}

/** The mean of the shares, each weighted by how close its leave-one-out accuracy comes to the best, in standard errors. */
function averageShare(measured: readonly (LeaveOneOutAccuracy | undefined)[]): number {
  let best: LeaveOneOutAccuracy | undefined;
  for (const one of measured) if (one && (!best || one.accuracy > best.accuracy)) best = one;
  if (!best) return 0.5;
  let total = 0;
  let sum = 0;
  for (const [k, one] of measured.entries()) {
    const weight = Math.exp((EVIDENCE * ((one?.accuracy ?? 0) - best.accuracy)) / best.standardError);
    total += weight;
    sum += weight * SHARES[k];
  }
  return sum / total;
}

function explain(
  share: number,
  ridge: FittedHead,
  linear: FittedHead,
  measured: LeaveOneOutAccuracy | undefined,
): string {
  if (!measured) return 'Ridge and discriminant in equal parts: leave-one-out has nothing to compare yet.';
  const percent = (x: number | undefined): string => `${((x ?? 0) * 100).toFixed(1)} %`;
  return `Ridge (leave-one-out ${percent(ridge.report.leaveOneOutAccuracy)}) and discriminant (${percent(linear.report.leaveOneOutAccuracy)}) blended ${Math.round(share * 100)} to ${Math.round((1 - share) * 100)}, which leaves ${percent(measured.accuracy)}.`;
}
