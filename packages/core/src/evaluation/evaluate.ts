/**
 * A classifier's report card: everything that `evaluate` and `imprint eval` say, computed from plain arrays of
 * predictions.
 */

import { describe, expected, ImprintError } from '../errors.ts';
import { expectedCalibrationError, reliabilityBins, type ReliabilityBin } from './calibration-error.ts';
import { accuracy, balancedAccuracy, confusionMatrix, perClassFigures, type ClassFigures } from './confusion.ts';
import { auroc, fpr95, strangenessHistogram, type StrangenessHistogram } from './unknown-detection.ts';

/** What was asked and answered; all arrays have one entry for each of n inputs. */
export interface EvaluationInput {
  /** Label of each class, in class order. */
  readonly labels: readonly string[];
  /** Int32Array, n: the true class index, or -1 for an input of no learned class. */
  readonly trueIndices: Int32Array;
  /** Int32Array, n: the likeliest class, also where the input was called unknown. */
  readonly predictedIndices: Int32Array;
  /** Float64Array, n: probability of the likeliest class, from 0 to 1. */
  readonly confidences: Float64Array;
  /** Uint8Array, n: 1 where the input was accepted as known, 0 where it was called unknown. */
  readonly known: Uint8Array;
  /** Float64Array, n: raw strangeness, higher is stranger. */
  readonly strangeness: Float64Array;
}

export interface ClassResult extends ClassFigures {
  readonly label: string;
  /** Its inputs that were called unknown. */
  readonly calledUnknown: number;
}

export interface UnknownResult {
  /** Inputs of no learned class. */
  readonly examples: number;
  /** Share of them that were called unknown. */
  readonly calledUnknownRate: number;
  /** Probability that an unknown input is stranger than a known one; null without known inputs. */
  readonly auroc: number | null;
  /** Share of unknown inputs that pass where 95 % of the known pass; null without known inputs. */
  readonly fpr95: number | null;
}

/** Plain JSON. Rates are fractions from 0 to 1, null where there was nothing to divide by. */
export interface EvaluationResult {
  readonly labels: readonly string[];
  /** Inputs of learned classes. */
  readonly examples: number;
  readonly correct: number;
  /** Of the likeliest class, whether or not the input was called unknown. */
  readonly accuracy: number | null;
  /** Mean of the classes' own accuracies. */
  readonly balancedAccuracy: number | null;
  /** Share of inputs answered rightly in full: the right label and accepted, or of no class and called unknown. */
  readonly openAccuracy: number | null;
  /** Share of the inputs of learned classes that were accepted as known. */
  readonly knownRate: number | null;
  readonly perClass: readonly ClassResult[];
  /** Counts; rows the true class, columns the likeliest class, in the order of `labels`. */
  readonly confusion: readonly (readonly number[])[];
  /** Mean distance of confidence from accuracy over 15 equal-width bins. */
  readonly expectedCalibrationError: number | null;
  /** The same over 15 bins of equally many inputs. */
  readonly equalMassCalibrationError: number | null;
  readonly meanConfidence: number | null;
  readonly reliability: readonly ReliabilityBin[];
  /** How strange known and unknown inputs looked; null without inputs. */
  readonly histogram: StrangenessHistogram | null;
  /** Present when some inputs belong to no learned class. */
  readonly unknown: UnknownResult | null;
}

/**
 * Scores predictions against the truth.
 * @throws INVALID_ARGUMENT for arrays of different lengths, an index out of range, a confidence outside 0..1, a
 *   strangeness that is not finite; NO_EXAMPLES for no input at all
 */
export function evaluatePredictions(input: EvaluationInput): EvaluationResult {
  const { labels, trueIndices, predictedIndices, confidences, known, strangeness } = input;
  const n = trueIndices.length;
  if (n === 0) {
    throw new ImprintError(
      'NO_EXAMPLES',
      'Expected at least one input to evaluate, got none. Pass inputs with their labels.',
    );
  }
  const lengths: readonly [string, { readonly length: number }][] = [
    ['predictedIndices', predictedIndices],
    ['confidences', confidences],
    ['known', known],
    ['strangeness', strangeness],
  ];
  for (const [name, array] of lengths) {
    if (array.length !== n) throw expected(name, `${n} entries, one for each true index`, array);
  }
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(strangeness[i])) {
      throw new ImprintError(
        'INVALID_ARGUMENT',
        `Expected a finite number for strangeness[${i}], got ${describe(strangeness[i])}. Check the embedding of input ${i}.`,
      );
    }
  }

  const numClasses = labels.length;
  const counts = confusionMatrix(trueIndices, predictedIndices, numClasses);
  const isKnown = (i: number): boolean => trueIndices[i] >= 0;
  const members = Array.from({ length: n }, (_, i) => i).filter(isKnown);
  const strangers = Array.from({ length: n }, (_, i) => i).filter((i) => !isKnown(i));

  const memberConfidences = Float64Array.from(members, (i) => confidences[i]);
  const right = Uint8Array.from(members, (i) => (trueIndices[i] === predictedIndices[i] ? 1 : 0));
  const reliability = reliabilityBins(memberConfidences, right);
  const knownStrangeness = Float64Array.from(members, (i) => strangeness[i]);
  const unknownStrangeness = Float64Array.from(strangers, (i) => strangeness[i]);

  const calledUnknown = new Float64Array(numClasses);
  let accepted = 0;
  let openCorrect = 0;
  for (let m = 0; m < members.length; m++) {
    const i = members[m];
    if (known[i]) {
      accepted++;
      openCorrect += right[m];
    } else {
      calledUnknown[trueIndices[i]]++;
    }
  }
  let refused = 0;
  for (const i of strangers) if (!known[i]) refused++;
  openCorrect += refused;

  let correct = 0;
  for (let m = 0; m < right.length; m++) correct += right[m];
  let confidenceSum = 0;
  for (let m = 0; m < memberConfidences.length; m++) confidenceSum += memberConfidences[m];

  return {
    labels: [...labels],
    examples: members.length,
    correct,
    accuracy: accuracy(counts, numClasses),
    balancedAccuracy: balancedAccuracy(counts, numClasses),
    openAccuracy: openCorrect / n,
    knownRate: members.length > 0 ? accepted / members.length : null,
    perClass: perClassFigures(counts, numClasses).map((figures, k) => ({
      label: labels[k],
      ...figures,
      calledUnknown: calledUnknown[k],
    })),
    confusion: Array.from({ length: numClasses }, (_, k) =>
      Array.from(counts.subarray(k * numClasses, (k + 1) * numClasses)),
    ),
    expectedCalibrationError: expectedCalibrationError(reliability),
    equalMassCalibrationError: expectedCalibrationError(reliabilityBins(memberConfidences, right, 15, 'mass')),
    meanConfidence: members.length > 0 ? confidenceSum / members.length : null,
    reliability,
    histogram: strangenessHistogram(knownStrangeness, unknownStrangeness),
    unknown:
      strangers.length > 0
        ? {
            examples: strangers.length,
            calledUnknownRate: refused / strangers.length,
            auroc: auroc(knownStrangeness, unknownStrangeness),
            fpr95: fpr95(knownStrangeness, unknownStrangeness),
          }
        : null,
  };
}
