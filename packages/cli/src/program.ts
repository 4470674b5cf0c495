/** Runs one command line: finds the verb, parses, and turns every outcome into an exit status and at most one sentence. */

import { createRequire } from 'node:module';
import { ImprintError } from '@imprint/core';
import { parseArguments } from './command-arguments.ts';
import { UsageError, type Command } from './command.ts';
import { displayText } from './display-text.ts';
import { helpOf, overview } from './help.ts';
import { interruptible, Interruption } from './interruption.ts';
import { Output } from './output.ts';
import { paintFor } from './paint.ts';

const LOST_FOLDER =
  'Expected a current folder, got one that no longer exists. Change to another one (cd ~) and run this again.';

/** @returns the exit status */
export async function runProgram(
  commands: readonly Command[],
  argv: readonly string[],
  { stdout, stderr }: Pick<NodeJS.Process, 'stdout' | 'stderr'>,
): Promise<number> {
  const output = new Output(stdout);
  const notices = new Output(stderr);
  const { signal, release } = interruptible();
  // An error outside every promise that is waited for would print a stack: it gets its sentence too.
  const uncaught = (error: unknown): void => {
    void reportFailure(error, argv[0], notices).then((status) => process.exit(status));
  };
  process.once('uncaughtException', uncaught);
  try {
    const status = await dispatch(commands, argv, output, notices, signal);
    if (output.failure === undefined) return status;
    await notices.line(`imprint: Expected to write to standard output, got ${output.failure.message}.`);
    return 1;
  } catch (error) {
    return await reportFailure(error, argv[0], notices);
  } finally {
    release();
    process.removeListener('uncaughtException', uncaught);
  }
}

async function dispatch(
  commands: readonly Command[],
  argv: readonly string[],
  output: Output,
  notices: Output,
  signal: AbortSignal,
): Promise<number> {
  const [verb, ...rest] = argv;
  const paint = paintFor(output);
  if (verb === '--version' || verb === '-v') {
    await output.line(version());
    return 0;
  }
  const helpWanted = verb === '--help' || verb === '-h' || verb === 'help';
  if (helpWanted && rest.length === 0) {
    await output.line(overview(commands, paint));
    return 0;
  }
  if (verb === undefined) {
    await notices.line(overview(commands, paintFor(notices)));
    return 2;
  }
  const name = helpWanted ? rest[0] : verb;
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    throw new UsageError(
      `Expected a verb (${commands.map((known) => known.name).join(', ')}), got ${JSON.stringify(name)}.`,
    );
  }
  if (helpWanted || rest.some((argument, at) => isHelp(argument) && !rest.slice(0, at).includes('--'))) {
    await output.line(helpOf(command, paint));
    return 0;
  }
  return command.run(parseArguments(rest, command.options), { output, notices, signal });
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

async function reportFailure(error: unknown, verb: string | undefined, notices: Output): Promise<number> {
  if (error instanceof UsageError) {
    const known = verb !== undefined && /^[a-z]+$/.test(verb) && !error.message.startsWith('Expected a verb');
    await notices.line(`imprint: ${displayText(error.message)} See: imprint ${known ? `${verb} ` : ''}--help`);
    return 2;
  }
  if (error instanceof Interruption) {
    await notices.line(`imprint: ${error.message}`);
    return error.exitCode;
  }
  const isLost = tellsOfLostFolder(error);
  const message = isLost ? LOST_FOLDER : error instanceof Error ? error.message : String(error);
  const stated = isLost || error instanceof ImprintError;
  await notices.line(
    `imprint: ${stated ? '' : 'Something unexpected failed: '}${displayText(message)}${stated ? '' : ' (IMPRINT_DEBUG=1 shows where.)'}`,
  );
  if (process.env['IMPRINT_DEBUG'] === '1' && error instanceof Error) await notices.line(traceOf(error));
  return 1;
}

/** Whether the current folder has been deleted: no relative path leads anywhere then, and Node starts no thread. */
function tellsOfLostFolder(error: unknown): boolean {
  return error instanceof Error && (error.message.includes('uv_cwd') || tellsOfLostFolder(error.cause));
}

/** The stack, and those of its causes. */
function traceOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\nCaused by ${traceOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

function version(): string {
  return (createRequire(import.meta.url)('../package.json') as { version: string }).version;
}
