/** `npm test`: build, format, lint, types, sizes, then every test; the last line counts them all. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const binaries = path.join(root, 'node_modules', '.bin');

/** Runs a tool of this repository, its output shown; true where it exits 0. */
function run(name, args) {
  console.log(`\n> ${[name, ...args].join(' ')}`);
  const { status, error } = spawnSync(path.join(binaries, name), args, { cwd: root, stdio: 'inherit' });
  if (error) console.error(error.message);
  return status === 0;
}

const checks = [
  ['turbo', ['run', 'build', '--output-logs=errors-only']],
  ['prettier', ['--check', '--log-level=warn', '.']],
  ['eslint', ['.', '--max-warnings', '0']],
  ['tsc', ['-p', 'test', '--noEmit']],
  ['size-limit', []],
];
const failedChecks = checks.filter(([name, args]) => !run(name, args)).map(([name]) => name);

const folder = mkdtempSync(path.join(tmpdir(), 'imprint-test-'));
const report = path.join(folder, 'report.json');
const passedVitest = run('vitest', [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${report}`,
  ...process.argv.slice(2),
]);
let counts = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0 };
try {
  counts = JSON.parse(readFileSync(report, 'utf8'));
} catch (error) {
  console.error(`The test runner left no report: ${error.message}`);
}
rmSync(folder, { recursive: true, force: true });

const passed = counts.numPassedTests + checks.length - failedChecks.length;
let failed = counts.numFailedTests + failedChecks.length;
// A file that cannot be loaded, or an error outside every test, fails the run without a failed test.
if (!passedVitest && counts.numFailedTests === 0) failed++;
const skipped = counts.numPendingTests + counts.numTodoTests;
if (failedChecks.length > 0) console.error(`\nFailed checks: ${failedChecks.join(', ')}`);
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
