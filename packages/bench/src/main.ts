/** `npm run -s bench -- TABLE... [--json] [--save]`: side-by-side benchmarks, a line a case. */

import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchInputs, type BenchInputs } from './inputs.ts';
import type { Case } from './measure.ts';
import { pipeline } from './tables/pipeline.ts';

const TABLES: Readonly<Record<string, (inputs: BenchInputs) => Promise<Case[]>>> = { pipeline };
const packageFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

function markdown(cases: readonly Case[]): string {
  const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const rows = cases.map(
    (line) =>
      `| ${line.case} | ${figure(line.ours)} | ${line.peer} | ${figure(line.peerValue)} | ${line.unit} | ${line.ratio.toFixed(2)} |`,
  );
  return ['| work | Imprint | against | its figure | unit | ratio |', '|---|---|---|---|---|---|', ...rows].join('\n');
}

async function save(table: string, cases: readonly Case[]): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0].model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  const folder = path.join(packageFolder, 'results');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, `${table}.json`), `${JSON.stringify({ date, machine, cases }, undefined, 2)}\n`);
  const text = `# ${table}\n\n${date}; ${machine}. Medians of interleaved rounds; ratio is ours / theirs, below 1 is ahead.\n\n${markdown(cases)}\n`;
  await writeFile(path.join(folder, `${table}.md`), text);
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, save: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !Object.hasOwn(TABLES, name));
if (unknown.length > 0 || positionals.length === 0) {
  console.error(`Expected tables out of ${Object.keys(TABLES).join(', ')}, got ${positionals.join(' ') || 'none'}.`);
  process.exitCode = 2;
} else {
  const inputs = benchInputs(path.resolve(packageFolder, '../..'));
  for (const name of positionals) {
    const cases = await TABLES[name](inputs);
    if (values.save) await save(name, cases);
    console.log(values.json ? cases.map((line) => JSON.stringify(line)).join('\n') : markdown(cases));
  }
}
