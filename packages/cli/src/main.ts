/** The `imprint` command, started by `bin/imprint.mjs`. */

import { COMMANDS } from './commands.ts';
import { runProgram } from './program.ts';

process.exitCode = await runProgram(COMMANDS, process.argv.slice(2), process);
