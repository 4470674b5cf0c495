/** One table in a process of its own: its memory is its own, and a crash is one table's. Started by main with an IPC channel. */

import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BenchContext, type Table } from './bench-context.ts';
import type { Case } from './measure.ts';
import type { MachinePeaks } from './machine-peaks.ts';

/** What the process sends, once. */
export type TableMessage =
  { readonly cases: readonly Case[]; readonly peaks?: MachinePeaks } | { readonly error: string };

const here = path.dirname(fileURLToPath(import.meta.url));
const [name] = process.argv.slice(2);

async function run(): Promise<TableMessage> {
  const file = path.join(here, 'tables', `${name}.js`);
  const module = (await import(pathToFileURL(file).href)) as Record<string, Table>;
  const context = new BenchContext(path.resolve(here, '../../..'), name);
  try {
    const cases = await module[name](context);
    const peaks = await context.peaksMeasured;
    return peaks ? { cases, peaks } : { cases };
  } finally {
    await context[Symbol.asyncDispose]();
  }
}

// Nobody is left to hear.
process.on('disconnect', () => process.exit(1));

const message = await run().catch((error: unknown): TableMessage => {
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
});
process.send?.(message, () => process.exit(0));
