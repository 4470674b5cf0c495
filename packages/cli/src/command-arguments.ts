/** What a verb was called with, parsed by the options that it declares. */

import { sep } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError, type CommandOption } from './command.ts';

const HELP: CommandOption = { help: 'show this help' };
/** Names of positional arguments that are paths, and of those that are paths of files. */
const PATH = /FILE|OUT|DIR/;
const FILE_PATH = /^(?:FILE|OUT)$/;

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

  /** An option's value, the path of a file. @throws UsageError for one that can only be a folder's */
  file(option: string): string | undefined {
    const value = this.text(option);
    if (value !== undefined) requireFilePath(value, `--${option}`);
    return value;
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

  /**
   * The positional arguments, which must be as many as there are `names` (a last name ending in `...` takes the rest).
   * @throws UsageError for more or fewer, and for what cannot be the path that a name asks for
   */
  exactly(...names: readonly string[]): readonly string[] {
    const open = names.at(-1)?.endsWith('...') === true;
    const { length } = this.positionals;
    if (length < names.length) {
      const got = length === 0 ? 'nothing' : `only ${this.positionals.map((text) => JSON.stringify(text)).join(' ')}`;
      throw new UsageError(`Expected ${names.join(' ')}, got ${got}.`);
    }
    if (length > names.length && !open) {
      const extra = JSON.stringify(this.positionals[names.length]);
      throw new UsageError(
        names.length === 0
          ? `Expected no argument, got ${extra}.`
          : `Expected ${names.join(' ')}, got ${extra} as well.`,
      );
    }
    for (const [i, text] of this.positionals.entries()) {
      const name = names[Math.min(i, names.length - 1)].replace('...', '');
      if (text === '' && PATH.test(name)) throw new UsageError(`Expected a path for ${name}, got an empty one.`);
      if (FILE_PATH.test(name)) requireFilePath(text, name);
    }
    return this.positionals;
  }
}

function requireFilePath(path: string, name: string): void {
  if (!path.endsWith('/') && !path.endsWith(sep)) return;
  const message = `Expected the path of a file for ${name}, got ${JSON.stringify(path)}, which names a folder. Add the file's name.`;
  throw new UsageError(message);
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
    const [, option] = /^Option '(--[\w-]+)' argument is ambiguous/.exec(sentence) ?? [];
    if (option !== undefined) {
      const value = argv.find((text, i) => text.startsWith('-') && argv[i - 1] === option);
      const message = `Expected a value after ${option}, got ${JSON.stringify(value)}, which reads as an option. A value that begins with a dash goes behind an equals sign: ${option}=${value}.`;
      throw new UsageError(message, { cause });
    }
    const isOption = (cause as { code?: unknown }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    const hint = isOption ? ' An argument that begins with a dash goes behind --.' : '';
    throw new UsageError(`${sentence.replace(/\.$/, '')}.${hint}`, { cause });
  }
}
