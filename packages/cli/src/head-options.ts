/** The options of a new classifier that its file remembers. */

import { HEAD_NAMES, ImprintError, requireStatisticsHeadName, type MemoryMode } from '@imprint/core';
import type { CommandArguments } from './command-arguments.ts';
import { UsageError, type CommandOption } from './command.ts';

export const HEAD_OPTIONS: Readonly<Record<string, CommandOption>> = {
  head: { value: 'HEAD', help: 'which head answers; default auto: chosen by leave-one-out' },
  memory: { value: 'MEMORY', help: 'examples (default) keeps a code of each photo; statistics keeps sums only' },
  'unknown-below': { value: 'P', help: 'novelty below which a photo is called unknown, 0 (never) to 1; default 0.03' },
};

const MEMORIES: readonly MemoryMode[] = ['examples', 'statistics'];

/** @throws UsageError for a wrong value, or a head that needs the examples with a memory that keeps none */
export function headOptions(args: CommandArguments): { head?: string; memory?: MemoryMode; unknownBelow?: number } {
  const head = args.choice('head', HEAD_NAMES);
  const unknownBelow = args.number('unknown-below', 0, 1);
  const memory = args.choice('memory', MEMORIES);
  if (head !== undefined && memory === 'statistics') requireStatisticsHead(head);
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(head === undefined ? {} : { head }),
    ...(unknownBelow === undefined ? {} : { unknownBelow }),
  };
}

function requireStatisticsHead(head: string): void {
  try {
    requireStatisticsHeadName(head);
  } catch (cause) {
    if (cause instanceof ImprintError) throw new UsageError(cause.message, { cause });
    throw cause;
  }
}
