/** `npm run -s bench -- TABLE... [--json] [--save]`: side-by-side benchmarks, a line a case. */

import { fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { MachinePeaks } from './machine-peaks.ts';
import type { Case } from './measure.ts';
import type { TableMessage } from './table-process.ts';

/** Each is `tables/NAME.ts`, which exports a `Table` under its name. */
const TABLES = ['fit', 'cholesky', 'dual', 'add', 'classify', 'pipeline', 'growth', 'browser'];

/** Longer than any table takes on two cores; a table that hangs must not hang the others. */
const LIMIT_MS = 10 * 60_000;

const here = path.dirname(fileURLToPath(import.meta.url));

interface Result {
  readonly cases: readonly Case[];
  readonly peaks?: MachinePeaks;
}

/** Runs a table in a process of its own. @throws Error that says how it failed */
async function runTable(name: string): Promise<Result> {
  // Whole numbers of memory need a collection on demand.
  const execArgv = ['--expose-gc', '--max-old-space-size=12288'];
  const child = fork(path.join(here, 'table-process.js'), [name], {
    execArgv,
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
  } as const);
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let message: TableMessage | undefined;
  child.on('message', (received) => (message = received as TableMessage));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('exit', (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
  });
  clearTimeout(timer);
  if (message === undefined) throw new Error(`Expected cases from its process, got its end (${signal ?? code}).`);
  if ('error' in message) throw new Error(message.error);
  return message;
}

function markdown(cases: readonly Case[]): string {
  const figure = (value: number): string =>
    value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  const limits = cases.some((line) => line.limit);
  const rows = cases.map((line) => {
    const { limit } = line;
    const beside = limits ? `${limit ? `${figure(limit.value)} (${limit.what})` : ''} | ` : '';
    return `| ${line.case} | ${figure(line.ours)} | ${line.peer} | ${figure(line.peerValue)} | ${line.unit} | ${beside}${line.ratio.toPrecision(2)} |`;
  });
  const limitHead = limits ? ' limit |' : '';
  const rule = limits ? '|---|---|---|---|---|---|---|' : '|---|---|---|---|---|---|';
  return [`| work | Imprint | against | its figure | unit |${limitHead} ratio |`, rule, ...rows].join('\n');
}

function peaksInWords(peaks: MachinePeaks): string {
  const of = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
  return `Peaks measured beside it: ONNX Runtime Gemm ${of(peaks.gemmF32)} GFLOP/s f32, ${of(peaks.gemmF64)} f64; NumPy ${of(peaks.numpyF32)} f32, ${of(peaks.numpyF64)} f64; one thread reads ${of(peaks.readGBps)} GB/s, copies ${of(peaks.copyGBps)} GB/s.`;
}

async function save(table: string, { cases, peaks }: Result): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const machine = `${cpus()[0].model.trim()}, ${availableParallelism()} cores, ${memory}, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  const folder = path.join(here, '../results');
  await mkdir(folder, { recursive: true });
  const record = { date, machine, ...(peaks && { peaks }), cases };
  await writeFile(path.join(folder, `${table}.json`), `${JSON.stringify(record, undefined, 2)}\n`);
  const note = peaks ? `\n${peaksInWords(peaks)}\n` : '';
  const text = `# ${table}\n\n${date}; ${machine}. Medians of interleaved rounds; ratio is ours / theirs, below 1 is ahead.\n${note}\n${markdown(cases)}\n`;
  await writeFile(path.join(folder, `${table}.md`), text);
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, save: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !TABLES.includes(name));
if (unknown.length > 0 || positionals.length === 0) {
  console.error(`Expected tables out of ${TABLES.join(', ')}, got ${positionals.join(' ') || 'none'}.`);
  process.exitCode = 2;
} else {
  for (const name of positionals) {
    try {
      const result = await runTable(name);
      if (values.save) await save(name, result);
      console.log(values.json ? result.cases.map((line) => JSON.stringify(line)).join('\n') : markdown(result.cases));
    } catch (error) {
      console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
}
