/** ONNX Runtime would keep an id of the device and look for Microsoft's servers: nothing of ours lets it. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const LEARN = `
  import sharp from 'sharp';
  import { createClassifier } from '@imprint/node';
  const classifier = await createClassifier({ device: 'cpu' });
  const picture = (background) => sharp({ create: { width: 64, height: 64, channels: 3, background } }).png().toBuffer();
  await classifier.addClass('red', [await picture('red')]);
  await classifier.addClass('blue', [await picture('blue')]);
  process.stdout.write((await classifier.classify(await picture('#e00'))).ranking[0].label);
  await classifier.dispose();
`;

/** What lies in a home of its own after a process has learned and answered. */
function filesAfter(environment: Record<string, string>): string[] {
  const home = mkdtempSync(join(tmpdir(), 'imprint-home-'));
  try {
    // Nothing inherited: ONNX Runtime is silent in a CI too.
    const { PATH = '' } = process.env;
    const env = { PATH, HOME: home, XDG_CACHE_HOME: join(home, '.cache'), ...environment };
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', LEARN], { env, encoding: 'utf8' });
    expect(run.stdout, run.stderr).toBe('red');
    return readdirSync(home, { recursive: true }).map(String);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

it('writes nothing into the home folder, unless its user allows it', () => {
  expect(filesAfter({})).toEqual([]);
  expect(filesAfter({ ORT_DISABLE_TELEMETRY: '0' }).join()).toMatch(/onnxruntime/);
}, 60_000);
