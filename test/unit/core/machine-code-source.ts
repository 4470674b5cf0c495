/** Compiles core's AssemblyScript sources again and compares the machine code that is committed. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const core = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../packages/core');
const compiler = path.resolve(core, '../../node_modules/assemblyscript/bin/asc.js');

/**
 * Fails with the lines to paste where `module` does not hold what `source` compiles to.
 * @param source in packages/core/wasm; its head says the command
 * @param module in packages/core/src, with the hex digits in `const CODE`
 * @returns the compiled module as hex digits
 */
export function expectCommitted(source: string, module: string, ...more: string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'imprint-wasm-'));
  try {
    const out = path.join(folder, 'out.wasm');
    const flags = '--optimizeLevel 3 --shrinkLevel 1 --runtime stub --enable simd --noAssert'.split(' ');
    execFileSync(process.execPath, [compiler, path.join(core, 'wasm', source), ...flags, ...more, '-o', out]);
    const hex = readFileSync(out).toString('hex');
    const lines = hex.match(/.{1,112}/g) ?? [];
    const wanted = `const CODE =\n${lines.map((line) => `  '${line}'`).join(' +\n')};\n`;
    const text = readFileSync(path.join(core, 'src', module), 'utf8');
    const start = text.indexOf('const CODE =');
    const committed = text.slice(start, text.indexOf(';\n', start) + 2);
    expect(committed === wanted, `In ${module} paste:\n\n${wanted}`).toBe(true);
    // Browsers refuse to compile more than 4 KB at once on a page's main thread.
    expect(hex.length / 2).toBeLessThan(4096);
    return hex;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
