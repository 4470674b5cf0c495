import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');

it('the committed machine code of the resize kernel is what its source compiles to', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'imprint-wasm-'));
  try {
    const out = path.join(folder, 'resample.wasm');
    const source = path.join(root, 'packages/core/wasm/resample.as.ts');
    const flags = '--optimizeLevel 3 --shrinkLevel 1 --runtime stub --enable simd --noAssert'.split(' ');
    execFileSync(process.execPath, [
      path.join(root, 'node_modules/assemblyscript/bin/asc.js'),
      source,
      ...flags,
      '-o',
      out,
    ]);
    const text = readFileSync(path.join(root, 'packages/core/src/image/resample-simd.ts'), 'utf8');
    const committed = [...text.matchAll(/^ {2}'([0-9a-f]+)',$/gm)].map((match) => match[1]).join('');
    expect(committed).toBe(readFileSync(out).toString('hex'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
