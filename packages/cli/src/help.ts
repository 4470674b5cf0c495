/** `imprint --help` and `imprint VERB --help`, from what the verbs say of themselves. */

import type { Command } from './command.ts';
import { pad } from './display-text.ts';
import type { Paint } from './paint.ts';

/** The overview of all verbs. */
export function overview(commands: readonly Command[], paint: Paint): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'Show it a few photos and it knows the class. Nothing is trained, nothing is forgotten.',
    '',
    paint('bold', 'Usage'),
    '  imprint VERB ARGUMENTS [OPTIONS]',
    '',
    paint('bold', 'Verbs'),
    ...commands.map(({ name, summary }) => `  ${pad(name, width)}  ${summary}`),
    '',
    paint('bold', 'Start here'),
    '  imprint learn photos --out pets.imprint     one folder a class: photos/cat/1.jpg, photos/dog/1.jpg',
    '  imprint classify pets.imprint unknown.jpg',
    '',
    '`imprint VERB --help` says more about a verb. `imprint --version` names the version.',
    'Exit status: 0 done, 1 failed with a sentence that says why, 2 wrong usage, 3 done but files were left out.',
  ].join('\n');
}

/** All about one verb. */
export function helpOf({ name, summary, usage, options, examples, details = [] }: Command, paint: Paint): string {
  const rows = Object.entries({ ...options, help: { help: 'show this help' } } as Command['options']).map(
    ([option, { value, help }]) => [value === undefined ? `--${option}` : `--${option} ${value}`, help] as const,
  );
  const optionWidth = Math.max(...rows.map(([left]) => left.length));
  const lineWidth = Math.max(0, ...examples.map(([line]) => line.length));
  return [
    `imprint ${name}: ${summary}.`,
    '',
    paint('bold', 'Usage'),
    ...usage.map((line) => `  imprint ${line}`),
    '',
    ...(details.length > 0 ? [...details, ''] : []),
    paint('bold', 'Options'),
    ...rows.map(([left, help]) => `  ${pad(left, optionWidth)}  ${help}`),
    '',
    paint('bold', 'Examples'),
    ...examples.map(([line, meaning]) => `  ${pad(line, lineWidth)}   ${meaning}`),
  ].join('\n');
}
