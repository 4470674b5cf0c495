import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');

it.each([
  ['CODE', []],
  ['RELAXED_CODE', ['--enable', 'relaxed-simd']],
])(
  'the committed machine code %s is what its source compiles to, and small enough to compile at once',
  (name, more) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'imprint-wasm-'));
    try {
      const out = path.join(folder, 'linear-algebra.wasm');
      const source = path.join(root, 'packages/core/wasm/linear-algebra.as.ts');
      const flags = '--optimizeLevel 3 --shrinkLevel 1 --runtime stub --enable simd --noAssert'.split(' ');
      const compiler = path.join(root, 'node_modules/assemblyscript/bin/asc.js');
      execFileSync(process.execPath, [compiler, source, ...flags, ...more, '-o', out]);
      const text = readFileSync(path.join(root, 'packages/core/src/linalg/wasm-module.ts'), 'utf8');
      const array = text.slice(text.indexOf(`const ${name} = [`)).split('];')[0];
      const committed = [...array.matchAll(/^ {2}'([0-9a-f]+)',$/gm)].map((match) => match[1]).join('');
      expect(committed).toBe(readFileSync(out).toString('hex'));
      // Browsers refuse to compile more than 4 KB at once on a page's main thread.
      expect(committed.length / 2).toBeLessThan(4096);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
