/** Review and suggestions with names instead of rows: what a labelling tool shows. */

import type { Embedded } from './backbone.ts';
import { expected } from './errors.ts';
import type { FitContext } from './head.ts';
import { encodeCodes } from './memory/codes.ts';
import type { MemoryView } from './memory/example-memory.ts';
import { review } from './scores/review.ts';
import { suggest } from './scores/suggest.ts';
import type { Solution } from './solution.ts';

export interface NamedExample<Label extends string = string> {
  readonly id: string;
  readonly label: Label;
  readonly source: string | undefined;
}

/** Each list the most suspicious first. */
export interface ReviewReport<Label extends string = string> {
  /**
   * Examples that the others take for another class; `margin` is the difference of the two classes' probabilities, leave-one-out and
   * calibrated as a prediction's are.
   */
  readonly suspectLabels: readonly (NamedExample<Label> & { readonly suggested: Label; readonly margin: number })[];
  /** Examples unlike the rest; `deviations` is a modified z-score. */
  readonly outliers: readonly (NamedExample<Label> & { readonly deviations: number })[];
  /** Pairs of (nearly) the same picture. */
  readonly duplicates: readonly {
    readonly examples: readonly [NamedExample<Label>, NamedExample<Label>];
    readonly similarity: number;
  }[];
}

export interface SuggestedInput {
  /** Position among the inputs. */
  readonly index: number;
  readonly source: string | undefined;
  /** From 0 (sure) to 1 (torn between two classes): 1 less the first probability of its prediction's `ranking`, plus the second. */
  readonly uncertainty: number;
  /** Cosine distance from everything labelled or suggested before it, from 0 to 2. */
  readonly distance: number;
}

/** @param most longest list to return, a positive integer */
export async function reviewExamples(solution: Solution, context: FitContext, most: number): Promise<ReviewReport> {
  if (!Number.isSafeInteger(most) || most < 1) throw expected('most', 'a positive integer', most);
  const { memory, detector } = examplesOf(solution);
  const found = await review(memory, solution.head, solution.calibration, detector.novelty, context, most);
  const named = (row: number): NamedExample => ({
    id: memory.ids[row],
    label: memory.labels[memory.classIndices[row]],
    source: memory.sources[row],
  });
  return {
    suspectLabels: found.suspectLabels.map(({ row, suggestedClass, margin }) => ({
      ...named(row),
      suggested: memory.labels[suggestedClass],
      margin,
    })),
    outliers: found.outliers.map(({ row, deviations }) => ({ ...named(row), deviations })),
    duplicates: found.duplicates.map(({ rows: [a, b], similarity }) => ({
      examples: [named(a), named(b)],
      similarity,
    })),
  };
}

/** Inputs that cannot be read are left out. @param count longest list to return, a positive integer */
export async function suggestInputs(
  solution: Solution,
  context: FitContext,
  embedded: readonly Embedded[],
  count: number,
): Promise<SuggestedInput[]> {
  const { memory } = examplesOf(solution);
  const { taps, dim, width } = memory;
  const readable = embedded.flatMap((item) => ('error' in item ? [] : [item]));
  const pool = new Int8Array(readable.length * width);
  readable.forEach((item, row) => pool.set(encodeCodes(item.embedding, 1, taps, dim), row * width));
  const picks = await suggest(memory, solution.head, solution.calibration, pool, readable.length, count, context);
  return picks.map(({ index, uncertainty, distance }) => {
    const { index: position, source } = readable[index];
    return { index: position, source, uncertainty, distance };
  });
}

function examplesOf(solution: Solution): {
  memory: MemoryView;
  detector: NonNullable<Solution['examples']>['detector'];
} {
  if (solution.examples === undefined) throw expected('memory', '"examples"', 'statistics');
  return solution.examples;
}
