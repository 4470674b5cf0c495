/** A server's bundle: with @imprint/node left out of it all works, with it inside the error says what to do. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  // Inside the repository, so that bundles find the packages that they leave out.
  folder = mkdtempSync(join(import.meta.dirname, '../../../node_modules/.imprint-bundle-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const APP = `
import { createClassifier, loadBackbone } from '@imprint/node';
const tell = ({ code, message }) => console.log(code, message);
loadBackbone(undefined, { device: 'cpu' })
  .then((backbone) => { console.log(backbone.identity.name); return backbone.dispose(); })
  .catch(tell)
  .then(() => createClassifier({ device: 'cpu' }))
  .then((classifier) => classifier.dispose())
  .catch(tell);
`;

async function run(format: 'esm' | 'cjs', external: string[]): Promise<string> {
  const outfile = join(folder, `${format}-${external.length}.${format === 'esm' ? 'mjs' : 'cjs'}`);
  await esbuild.build({
    stdin: { contents: APP, resolveDir: import.meta.dirname },
    bundle: true,
    platform: 'node',
    format,
    external,
    outfile,
    logLevel: 'error',
    logOverride: { 'empty-import-meta': 'silent' },
  });
  const { stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8', timeout: 30_000 });
  expect(stderr).toBe('');
  return stdout.trim();
}

describe.each(['esm', 'cjs'] as const)('a bundle as %s', (format) => {
  it('runs where @imprint/node stays outside', async () => {
    expect(await run(format, ['@imprint/node'])).toBe('imprint-tiny');
  });

  it('says to leave @imprint/node out where it is inside', async () => {
    const said = await run(format, ['onnxruntime-node', 'sharp']);
    expect(said).toMatch(/^UNSUPPORTED Expected @imprint\/node's own files beside its code, got a bundle without them/);
    expect(said).toContain('--external:@imprint/node');
  });
});
