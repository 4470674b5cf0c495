/** Who is taken for whom: the confusion matrix, and the accuracies that follow from it. */

import { expected } from '../errors.ts';

/** One class's share of a confusion matrix; rates from 0 to 1, null where nothing was there to divide by. */
export interface ClassFigures {
  /** Inputs that belong to the class. */
  readonly examples: number;
  /** Inputs that were taken for the class. */
  readonly predicted: number;
  readonly correct: number;
  /** `correct / predicted`. */
  readonly precision: number | null;
  /** `correct / examples`: the class's own accuracy. */
  readonly recall: number | null;
  /** Harmonic mean of precision and recall: `2 correct / (examples + predicted)`. */
  readonly f1: number | null;
}

/**
 * Counts of (true class, predicted class).
 * @param trueIndices Int32Array, n; -1 for an input of no class, which is left out
 * @param predictedIndices Int32Array, n, each from 0 to numClasses - 1
 * @returns Float64Array, numClasses x numClasses, row-major, rows the true class; the caller owns it
 * @throws INVALID_ARGUMENT for lengths that differ or an index out of range
 */
export function confusionMatrix(
  trueIndices: Int32Array,
  predictedIndices: Int32Array,
  numClasses: number,
): Float64Array<ArrayBuffer> {
  if (trueIndices.length !== predictedIndices.length) {
    throw expected(
      'predictedIndices',
      `${trueIndices.length} class indices`,
      predictedIndices,
      'Pass one for each input.',
    );
  }
  const confusion = new Float64Array(numClasses * numClasses);
  for (let i = 0; i < trueIndices.length; i++) {
    const truth = trueIndices[i];
    const predicted = predictedIndices[i];
    if (truth < -1 || truth >= numClasses) {
      throw expected(`trueIndices[${i}]`, `a class index from -1 (no class) to ${numClasses - 1}`, truth);
    }
    if (predicted < 0 || predicted >= numClasses) {
      throw expected(`predictedIndices[${i}]`, `a class index from 0 to ${numClasses - 1}`, predicted);
    }
    if (truth >= 0) confusion[truth * numClasses + predicted]++;
  }
  return confusion;
}

/** Each class's figures, in class order, of a confusion matrix (numClasses x numClasses, rows the true class). */
export function perClassFigures(confusion: Float64Array, numClasses: number): ClassFigures[] {
  const figures: ClassFigures[] = [];
  for (let k = 0; k < numClasses; k++) {
    let examples = 0;
    let predicted = 0;
    for (let j = 0; j < numClasses; j++) {
      examples += confusion[k * numClasses + j];
      predicted += confusion[j * numClasses + k];
    }
    const correct = confusion[k * numClasses + k];
    figures.push({
      examples,
      predicted,
      correct,
      precision: predicted > 0 ? correct / predicted : null,
      recall: examples > 0 ? correct / examples : null,
      f1: examples + predicted > 0 ? (2 * correct) / (examples + predicted) : null,
    });
  }
  return figures;
}

/** Share of inputs on the diagonal, from 0 to 1; null for an empty matrix. */
export function accuracy(confusion: Float64Array, numClasses: number): number | null {
  let correct = 0;
  let total = 0;
  for (let i = 0; i < confusion.length; i++) total += confusion[i];
  for (let k = 0; k < numClasses; k++) correct += confusion[k * numClasses + k];
  return total > 0 ? correct / total : null;
}

/**
 * Mean recall of the classes that have examples, from 0 to 1; null where none has. Equal to accuracy for equal counts.
 */
export function balancedAccuracy(confusion: Float64Array, numClasses: number): number | null {
  let sum = 0;
  let present = 0;
  for (let k = 0; k < numClasses; k++) {
    let examples = 0;
    for (let j = 0; j < numClasses; j++) examples += confusion[k * numClasses + j];
    if (examples === 0) continue;
    sum += confusion[k * numClasses + k] / examples;
    present++;
  }
  return present > 0 ? sum / present : null;
}
