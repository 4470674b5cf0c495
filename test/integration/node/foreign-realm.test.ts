/** Imprint in a realm with classes of its own, where test runners put their tests (Jest always, Vitest with vmForks). */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');

it('learns, answers, saves and opens there, and warns that ONNX Runtime does not multiply', () => {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const config = join(root, 'test/fixtures/foreign-realm/vitest.config.ts');
  const args = [vitest, 'run', '--config', config, '--reporter', 'json'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 100_000 });
  const { numPassedTests, numTotalTests, testResults } = JSON.parse(stdout);
  expect({ numPassedTests, numTotalTests }, JSON.stringify(testResults)).toEqual({
    numPassedTests: 3,
    numTotalTests: 3,
  });
  expect(stderr).toContain('[IMPRINT_FOREIGN_REALM] Warning');
}, 120_000);
