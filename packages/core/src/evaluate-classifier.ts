/** Runs a classifier over labelled inputs and scores its answers. */

import type { Classifier } from './classifier.ts';
import { expected, ImprintError, requireIterable, requireOptions } from './errors.ts';
import { evaluatePredictions, type EvaluationResult } from './evaluation/evaluate.ts';
import { classNotFound } from './memory/class-map.ts';
import { canonicalLabel } from './memory/label.ts';
import type { AbortSignalLike } from './platform.ts';
import type { Classified, Unreadable } from './prediction.ts';

export interface LabelledInput<Input, Label extends string = string> {
  readonly label: Label;
  readonly input: Input;
}

export interface EvaluateOptions<Input> {
  /** Inputs that belong to no learned class: they measure how well strangers are told. */
  readonly unknown?: Iterable<Input> | AsyncIterable<Input>;
  readonly signal?: AbortSignalLike;
  /** Called after each input with how many are done. */
  readonly onProgress?: (progress: { readonly done: number }) => void;
  /** Called for each input that cannot be read; without it the first one ends the call. */
  readonly onUnreadable?: (unreadable: Unreadable) => void;
}

/** @param changes how often the classifier was changed: figures are of one state of it */
export async function evaluateClassifier<Input, Label extends string>(
  classifier: Classifier<Input, Label>,
  changes: () => number,
  examples: Iterable<LabelledInput<Input, Label>> | AsyncIterable<LabelledInput<Input, Label>>,
  options: EvaluateOptions<Input>,
): Promise<EvaluationResult> {
  const { onUnreadable } = requireOptions(options);
  if (onUnreadable !== undefined && typeof onUnreadable !== 'function') {
    throw expected('onUnreadable', 'a function that is told of them', onUnreadable);
  }
  const labels: readonly string[] = classifier.classes.map(({ label }) => label);
  const indices = new Map(labels.map((label, index) => [label, index]));
  const rows: { truth: number; predicted: number; confidence: number; known: number; strangeness: number }[] = [];
  let done = 0;

  const before = changes();
  const requireUnchanged = (): void => {
    if (changes() !== before) throw changedMeanwhile();
  };
  const collect = async (inputs: Iterable<Input> | AsyncIterable<Input>, truths: readonly number[] | undefined) => {
    const classifyOptions = { top: 1, nearest: 0, ...(options.signal === undefined ? {} : { signal: options.signal }) };
    for await (const result of classifier.classifyMany(inputs, classifyOptions) as AsyncIterable<Classified>) {
      requireUnchanged();
      options.onProgress?.({ done: ++done });
      if ('error' in result) {
        if (options.onUnreadable === undefined) throw result.error;
        options.onUnreadable(result);
        continue;
      }
      const { ranking, confidence, known, strangeness } = result.prediction;
      const predicted = indices.get(ranking[0].label)!;
      rows.push({ truth: truths?.[result.index] ?? -1, predicted, confidence, known: known ? 1 : 0, strangeness });
    }
    requireUnchanged();
  };

  const truths: number[] = [];
  const inputs = async function* (): AsyncGenerator<Input> {
    for await (const example of requireIterable(examples, 'examples')) {
      const { label, input } = (example as typeof example | null | undefined) ?? ({} as typeof example);
      const name = canonicalLabel(label);
      const truth = indices.get(name);
      if (truth === undefined) throw classNotFound(name, labels);
      truths.push(truth);
      yield input;
    }
  };
  await collect(inputs(), truths);
  if (options.unknown !== undefined) await collect(options.unknown, undefined);

  return evaluatePredictions({
    labels,
    trueIndices: Int32Array.from(rows, (row) => row.truth),
    predictedIndices: Int32Array.from(rows, (row) => row.predicted),
    confidences: Float64Array.from(rows, (row) => row.confidence),
    known: Uint8Array.from(rows, (row) => row.known),
    strangeness: Float64Array.from(rows, (row) => row.strangeness),
  });
}

function changedMeanwhile(): ImprintError {
  return new ImprintError(
    'INVALID_ARGUMENT',
    'Expected the same classes until evaluate has ended, got other classes or examples meanwhile. Call it again, and change them before or after.',
  );
}
