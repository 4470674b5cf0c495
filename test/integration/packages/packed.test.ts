/** The published packages as a stranger gets them: packed, installed into an empty folder, imported, type checked. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const PUBLISHED = ['packages/core', 'packages/node', 'packages/web', 'packages/cli', 'models/imprint-tiny'];
const TYPED = ['packages/core', 'packages/node', 'packages/web'];

let folder: string;

function run(command: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', npm_config_audit: 'false', npm_config_fund: 'false' };
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Puts a package of this repository into the app, where none of ours brought it along. */
function link(name: string): void {
  const place = path.join(folder, 'app/node_modules', name);
  if (existsSync(place)) return;
  mkdirSync(path.dirname(place), { recursive: true });
  symlinkSync(path.join(root, 'node_modules', name), place);
}

describe('the packed packages', () => {
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'imprint-packed-'));
    const tarballs = path.join(folder, 'tarballs');
    mkdirSync(tarballs);
    for (const name of PUBLISHED)
      run('npm', ['pack', '--silent', '--pack-destination', tarballs], path.join(root, name));
    const app = path.join(folder, 'app');
    mkdirSync(app);
    writeFileSync(path.join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
    const files = readdirSync(tarballs).map((name) => path.join(tarballs, name));
    run('npm', ['install', '--prefer-offline', '--no-save', ...files], app);
  }, 300_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('install into an empty folder and answer', () => {
    const app = path.join(folder, 'app');
    writeFileSync(
      path.join(app, 'use.js'),
      `import { Classifier, readyEmbeddings } from '@imprint/core';
       import * as node from '@imprint/node';
       const backbone = readyEmbeddings({ name: 'app', dim: 3 });
       const classifier = new Classifier(backbone, { unknownBelow: 0 });
       await classifier.addClass('x', [{ embedding: Float32Array.from([1, 0, 0.1]) }]);
       await classifier.addClass('y', [{ embedding: Float32Array.from([0, 1, 0.1]) }]);
       const { label } = await classifier.classify({ embedding: Float32Array.from([0.1, 1, 0]) });
       console.log(label, typeof node.createClassifier);`,
    );
    expect(run('node', ['use.js'], app).trim()).toBe('y function');
    expect(run('npx', ['--no-install', 'imprint', '--version'], app).trim()).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('can be required, too', () => {
    const script = `console.log(typeof require('@imprint/node').createClassifier, typeof require('@imprint/core').Classifier)`;
    expect(run('node', ['--input-type=commonjs', '-e', script], path.join(folder, 'app')).trim()).toBe(
      'function function',
    );
  });

  it.each([
    ['onnxruntime-node', 'onnxruntime-node/bin'],
    ['sharp', `@img/sharp-${process.platform}-${process.arch}`],
  ])('say in a sentence that %s does not load, as on Alpine, and do what needs none', (name, part) => {
    const app = path.join(folder, 'app');
    const place = path.join(app, 'node_modules', part);
    renameSync(place, `${place}-away`);
    try {
      const imprint = (...args: string[]) =>
        spawnSync(process.execPath, ['node_modules/@imprint/cli/bin/imprint.mjs', ...args], {
          cwd: app,
          encoding: 'utf8',
        });
      expect(imprint('--help')).toMatchObject({ status: 0, stderr: '' });
      const doctor = imprint('doctor');
      expect(doctor.status).toBe(1);
      expect(doctor.stdout).toContain(`Expected ${name} to load on ${process.platform} ${process.arch}, got: `);
      const photos = path.join(root, 'docs');
      const learn = imprint('learn', photos, '--out', 'x.imprint');
      expect(learn.status).not.toBe(0);
      expect(learn.stderr).toMatch(new RegExp(`^imprint: Expected ${name} to load on .+\\n$`));
    } finally {
      renameSync(`${place}-away`, place);
    }
  });

  it('carry types that a strict TypeScript project accepts', () => {
    const app = path.join(folder, 'app');
    writeFileSync(
      path.join(app, 'use.ts'),
      `import { Classifier, readyEmbeddings, type Prediction } from '@imprint/core';
       import { createClassifier } from '@imprint/node';
       type Pet = 'cat' | 'dog';
       const classifier = new Classifier<{ embedding: Float32Array }, Pet>(readyEmbeddings({ name: 'app', dim: 3 }));
       const prediction: Prediction<Pet> = await classifier.classify({ embedding: new Float32Array(3) });
       export const label: Pet | null = prediction.label;
       // @ts-expect-error a label that is not one of the two
       await classifier.addClass('cow', []);
       export const photos = createClassifier<Pet>();`,
    );
    const args = [
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--moduleResolution',
      'nodenext',
    ];
    const lib = ['--lib', 'es2023,esnext.disposable,dom,dom.asynciterable', '--types', 'node'];
    // What every TypeScript project for Node has.
    for (const name of ['@types/node', 'undici-types']) link(name);
    expect(run(path.join(root, 'node_modules/.bin/tsc'), [...args, ...lib, 'use.ts'], app)).toBe('');
  });

  it('carry types that a strict TypeScript project for pages accepts, with nothing of Node', () => {
    const app = path.join(folder, 'app');
    writeFileSync(
      path.join(app, 'page.ts'),
      `import { createClassifier, type WebClassifier } from '@imprint/web';
       import '@imprint/web/element';
       import { useClassifier, usePrediction } from '@imprint/web/react';
       type Pet = 'cat' | 'dog';
       await using classifier: WebClassifier<Pet> = await createClassifier<Pet>({ store: 'pets', device: 'auto' });
       const video = document.querySelector('video')!;
       await classifier.addExample('cat', video);
       for await (const { prediction, elapsedMs } of classifier.watch(video, { fps: 10 })) {
         const label: Pet | null = prediction.label;
         console.log(label, elapsedMs.toFixed());
       }
       // @ts-expect-error a label that is not one of the two
       await classifier.addClass('cow', []);
       // @ts-expect-error a device of Node
       await createClassifier({ device: 'cuda' });
       document.querySelector('imprint-classifier')?.addEventListener('prediction', ({ detail }) => {
         const label: string | null = detail.prediction.label;
         console.log(label);
       });
       export function useLabel(): string | null {
         const { classifier, status, error } = useClassifier<Pet>({ store: 'pets' });
         const { prediction } = usePrediction(classifier, { current: video });
         if (status === 'error') throw error;
         return prediction?.label ?? null;
       }`,
    );
    for (const name of ['@types/react', 'csstype']) link(name);
    const strict = [
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
    ];
    const lib = ['--lib', 'es2023,dom,dom.iterable,dom.asynciterable,esnext.disposable', '--types', 'react'];
    expect(run(path.join(root, 'node_modules/.bin/tsc'), [...strict, ...lib, 'page.ts'], app)).toBe('');
  });

  it.each(PUBLISHED)('%s is clean by publint', (name) => {
    expect(run(path.join(root, 'node_modules/.bin/publint'), ['run', '--strict', name], root)).toContain('All good!');
  });

  it.each(TYPED)('%s has types that resolve, by attw', (name) => {
    const args = ['--pack', name, '--profile', 'esm-only', '--no-emoji'];
    // It exits 1 at any problem; how its table lies depends on the terminal.
    expect(run(path.join(root, 'node_modules/.bin/attw'), args, root)).toContain('OK (ESM)');
  });
});
