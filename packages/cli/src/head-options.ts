/** The options of a new classifier that its file remembers. */

import { HEAD_NAMES } from '@imprint/core';
import type { CommandArguments } from './command-arguments.ts';
import type { CommandOption } from './command.ts';

export const HEAD_OPTIONS: Readonly<Record<string, CommandOption>> = {
  head: { value: 'HEAD', help: 'which head answers; default auto: chosen by leave-one-out' },
  'unknown-below': { value: 'P', help: 'novelty below which a photo is called unknown, 0 (never) to 1; default 0.01' },
};

export function headOptions(args: CommandArguments): { head?: string; unknownBelow?: number } {
  const head = args.choice('head', HEAD_NAMES);
  const unknownBelow = args.number('unknown-below', 0, 1);
  return { ...(head === undefined ? {} : { head }), ...(unknownBelow === undefined ? {} : { unknownBelow }) };
}
