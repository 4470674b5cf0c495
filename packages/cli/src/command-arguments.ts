/** What a verb was called with, parsed by the options that it declares. */

import { parseArgs } from 'node:util';
import { UsageError, type CommandOption } from './command.ts';

const HELP: CommandOption = { help: 'show this help' };

export class CommandArguments {
  readonly positionals: readonly string[];
  readonly #values: ReadonlyMap<string, string | boolean>;

  constructor(positionals: readonly string[], values: ReadonlyMap<string, string | boolean>) {
    this.positionals = positionals;
    this.#values = values;
  }

  /** Whether a flag was given. */
  has(option: string): boolean {
    return this.#values.has(option);
  }

  /** An option's value. @throws UsageError for an empty one */
  text(option: string): string | undefined {
    const value = this.#values.get(option);
    if (value === '') throw new UsageError(`Expected a value after --${option}, got an empty one.`);
    return typeof value === 'string' ? value : undefined;
  }

  /** An option's value, one of `choices`. @throws UsageError for another one */
  choice<Choice extends string>(option: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.text(option);
    if (value === undefined || (choices as readonly string[]).includes(value)) return value as Choice | undefined;
    throw new UsageError(`Expected one of ${choices.join(', ')} for --${option}, got ${JSON.stringify(value)}.`);
  }

  /** An option's value as a number. @throws UsageError for anything else, or outside `least` to `most` */
  number(option: string, least: number, most: number): number | undefined {
    const value = this.text(option);
    if (value === undefined) return undefined;
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (number >= least && number <= most) return number;
    const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new UsageError(`Expected a number ${range} for --${option}, got ${JSON.stringify(value)}.`);
  }

  /** An option's value as a whole number. @throws UsageError for anything else, or below `least` */
  count(option: string, least: number): number | undefined {
    const value = this.number(option, least, Infinity);
    if (value === undefined || Number.isSafeInteger(value)) return value;
    throw new UsageError(`Expected a whole number for --${option}, got ${this.text(option)}.`);
  }

  /** The positional arguments, which must be as many as there are `names` (a last name ending in `...` takes the rest). */
  exactly(...names: readonly string[]): readonly string[] {
    const open = names.at(-1)?.endsWith('...') === true;
    const { length } = this.positionals;
    if (length < names.length) {
      const got = length === 0 ? 'nothing' : `only ${this.positionals.map((text) => JSON.stringify(text)).join(' ')}`;
      throw new UsageError(`Expected ${names.join(' ')}, got ${got}.`);
    }
    if (length > names.length && !open) {
      throw new UsageError(
        `Expected ${names.join(' ')}, got ${JSON.stringify(this.positionals[names.length])} as well.`,
      );
    }
    return this.positionals;
  }
}

/**
 * Parses what follows the verb. Options may stand anywhere; after `--` everything is an argument.
 * @throws UsageError for an unknown option, or a missing or needless value
 */
export function parseArguments(
  argv: readonly string[],
  options: Readonly<Record<string, CommandOption>>,
): CommandArguments {
  const declared = { ...options, help: HELP };
  const config = Object.fromEntries(
    Object.entries(declared).map(([name, { value }]) => [
      name,
      { type: value ? ('string' as const) : ('boolean' as const) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { ...config, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    return new CommandArguments(positionals, new Map(Object.entries(values) as [string, string | boolean][]));
  } catch (cause) {
    const [sentence] = (cause instanceof Error ? cause.message : String(cause)).split(/\.\s/);
    const isOption = (cause as { code?: unknown }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    const hint = isOption ? ' An argument that begins with a dash goes behind --.' : '';
    throw new UsageError(`${sentence.replace(/\.$/, '')}.${hint}`, { cause });
  }
}
