/** The contract of a verb: one file in commands/ each, from which parsing, `--help` and the overview are made. */

import type { CommandArguments } from './command-arguments.ts';
import type { Output } from './output.ts';

/** 0 done; 1 a stated failure; 2 wrong usage; 3 done, with files left out. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface CommandOption {
  /** Name of the value in the help (`FILE`); absent for a flag. */
  readonly value?: string;
  /** What it does, with its default, in one line. */
  readonly help: string;
}

export interface CommandContext {
  /** Standard output; `output.closed` says that the reader has gone. */
  readonly output: Output;
  /** Standard error, for notices: one sentence a line. */
  readonly notices: Output;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** The verb. */
  readonly name: string;
  /** One line for the overview, without a full stop. */
  readonly summary: string;
  /** What follows `imprint` on a usage line; several where the verb has several forms. */
  readonly usage: readonly string[];
  /** By long name, without the dashes. `help` is there for every verb. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Whole command lines that a newcomer can copy, each with what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** What else `--help` says: the folder's layout, the JSON's fields. */
  readonly details?: readonly string[];
  /** @throws UsageError for wrong usage; ImprintError for a stated failure */
  run(args: CommandArguments, context: CommandContext): Promise<ExitCode>;
}

/** Wrong usage: said in one sentence, with the way to `--help`, exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
