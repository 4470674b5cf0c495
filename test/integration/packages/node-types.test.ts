/** The types of @imprint/node for a program that has none but its own, Node's or the DOM's, with every declaration file looked at. */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

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
// @ts-expect-error a number is no picture
await classifier.classify(5);
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
export const seen = [report.added, label, known, named];
`;

/** What both Node and the DOM bring. */
const HOST = `
import { createClassifier, type ImageInput } from '@imprint/node';

const pictures: ImageInput[] = [new URL('file:///a.jpg'), new Blob([]), new File([], 'b.jpg'), new Uint8Array(4), new ArrayBuffer(4)];
// @ts-expect-error a response is no picture before its bytes are read
pictures.push(new Response());
const { signal } = new AbortController();
await using classifier = await createClassifier({ signal });
await classifier.addClass('cat', pictures, { signal });
`;

/** A project with the packages' declarations and nothing else around it. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'imprint-node-types-'));
  for (const name of ['core', 'node']) {
    const [from, to] = [path.join(root, 'packages', name), path.join(folder, 'node_modules/@imprint', name)];
    cpSync(path.join(from, 'package.json'), path.join(to, 'package.json'));
    const filter = (file: string): boolean => !path.extname(file) || file.endsWith('.d.ts');
    cpSync(path.join(from, 'dist'), path.join(to, 'dist'), { recursive: true, filter });
  }
  writeFileSync(path.join(folder, 'program.mts'), PROGRAM);
  writeFileSync(path.join(folder, 'host.mts'), HOST);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['no library but ES2023', ['ES2023'], [], ['program.mts']],
  ["Node's types", ['ES2023'], ['node'], ['program.mts', 'host.mts']],
  ["the DOM's types", ['ES2023', 'DOM'], [], ['program.mts', 'host.mts']],
])(
  'compile under strict settings, with %s',
  (_, lib, types, files) => {
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: 'ES2023',
      module: 'NodeNext',
      lib,
      types,
      typeRoots: [path.join(root, 'node_modules/@types')],
      skipLibCheck: false,
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    let output = '';
    try {
      execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe('');
  },
  60_000,
);
