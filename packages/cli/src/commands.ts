/** All verbs, in the order of the overview. */

import { add } from './commands/add.ts';
import { bench } from './commands/bench.ts';
import { classify } from './commands/classify.ts';
import type { Command } from './command.ts';
import { doctor } from './commands/doctor.ts';
import { evaluate } from './commands/eval.ts';
import { info } from './commands/info.ts';
import { learn } from './commands/learn.ts';
import { merge } from './commands/merge.ts';
import { models } from './commands/models.ts';
import { remove } from './commands/remove.ts';
import { rename } from './commands/rename.ts';

export const COMMANDS: readonly Command[] = [
  learn,
  classify,
  add,
  remove,
  rename,
  evaluate,
  info,
  merge,
  models,
  doctor,
  bench,
];
