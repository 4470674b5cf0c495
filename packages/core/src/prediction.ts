/** What a classifier answers, and what its other verbs report. */

import type { ImprintError } from './errors.ts';

export interface RankedLabel<Label extends string = string> {
  readonly label: Label;
  /** From 0 to 1; over all classes they sum to 1. */
  readonly probability: number;
}

export interface NearestExample<Label extends string = string> {
  readonly id: string;
  readonly label: Label;
  /** Cosine of the codes, from -1 to 1. */
  readonly similarity: number;
  /** The base name of the file it came from, where there was one. */
  readonly source: string | undefined;
}

/** What a prediction says beside the class. */
interface Evidence<Label extends string> {
  /** Calibrated probability of the likeliest class, from 0 to 1. */
  readonly confidence: number;
  /** p-value, from 0 to 1: the share of learned examples that would look at least as strange. Small means strange. */
  readonly novelty: number;
  /** The raw score behind `novelty`; higher is stranger. For ranking inputs of one classifier by strangeness. */
  readonly strangeness: number;
  /** The likeliest classes, best first. */
  readonly ranking: readonly RankedLabel<Label>[];
  /** The most similar learned examples, best first. */
  readonly nearest: readonly NearestExample<Label>[];
}

/**
 * `known`: whether `novelty` is at least the classifier's `unknownBelow`. `label`: the likeliest class, or null where the input is
 * unlike everything learned.
 */
export type Prediction<Label extends string = string> = Evidence<Label> &
  ({ readonly known: true; readonly label: Label } | { readonly known: false; readonly label: null });

/** One input of `classifyMany`: a prediction, or the reason why there is none. */
export type Classified<Label extends string = string> =
  | {
      readonly index: number;
      readonly source: string | undefined;
      readonly id: string;
      readonly prediction: Prediction<Label>;
    }
  | { readonly index: number; readonly source: string | undefined; readonly error: ImprintError };

export interface Unreadable {
  /** Position among the inputs. */
  readonly index: number;
  readonly source: string | undefined;
  readonly error: ImprintError;
}

export interface AddReport {
  /** Examples that the class did not have before. */
  readonly added: number;
  /** Inputs that were there already, or came twice. */
  readonly duplicates: number;
  /** Inputs left out, only with `onUnreadable: 'skip'`. */
  readonly unreadable: readonly Unreadable[];
}
