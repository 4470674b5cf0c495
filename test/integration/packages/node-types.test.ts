/** The types of @imprint/node for a program that has none but its own: no DOM, and every declaration file looked at. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');

const PROGRAM = `
import { createClassifier, ImprintError, openClassifier, saveClassifier, type AddReport, type Prediction } from '@imprint/node';
import { readyEmbeddings } from '@imprint/core';

await using classifier = await createClassifier<'cat' | 'dog'>();
const report: AddReport = await classifier.addClass('cat', ['a.jpg']);
const prediction: Prediction<'cat' | 'dog'> = await classifier.classify('b.jpg');
const { label, known } = prediction;
const named: 'cat' | 'dog' | 'none' = prediction.known ? prediction.label : 'none';
await saveClassifier(classifier, 'pets.imprint');
const vectors = await createClassifier({ backbone: readyEmbeddings({ name: 'vectors', dim: 4 }) });
await vectors.addClass('up', [{ embedding: new Float32Array(4) }]);
// @ts-expect-error a path is no embedding
await vectors.addClass('down', ['a.jpg']);
await openClassifier('pets.imprint').catch((error) => {
  if (error instanceof ImprintError && error.code === 'FILE_NOT_FOUND') return;
  // @ts-expect-error no such code
  if (error instanceof ImprintError && error.code === 'FILE_LOST') return;
  throw error;
});
console.log(report.added, label, known, named);
`;

it('compile under strict settings, with no library but ES2023', () => {
  const folder = mkdtempSync(path.join(root, 'node_modules/.cache/node-types-'));
  try {
    writeFileSync(path.join(folder, 'program.mts'), PROGRAM);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: 'ES2023',
      module: 'NodeNext',
      lib: ['ES2023'],
      types: ['node'],
      skipLibCheck: false,
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.mts'] }));
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    let output = '';
    try {
      execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe('');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
