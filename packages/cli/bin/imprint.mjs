#!/usr/bin/env node
/** The `imprint` command. This file is there before the build, so that npm links the command in a fresh clone. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error(
    `imprint: Expected the built command at ${fileURLToPath(main)}, got none. Run \`npm run build\` first.`,
  );
  process.exitCode = 1;
}
