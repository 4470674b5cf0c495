/** Arrows point down: who may import whom, checked on every import in the source. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Packages that a package may import, besides itself. */
const PACKAGE_ARROWS: Record<string, readonly string[]> = {
  core: [],
  node: ['core'],
  cli: ['core', 'node'],
  web: ['core'],
  demo: ['web', 'core'],
  bench: ['core', 'node', 'web'],
};

/** Rooms of core from top to bottom; a file may import from its own floor's room and from floors below. */
const CORE_FLOORS: readonly (readonly string[])[] = [
  ['index'],
  [
    'classifier',
    'content',
    'embed-examples',
    'evaluate-classifier',
    'from-transformers-pipeline',
    'load-seldom',
    'batches-at-hand',
    'pending-solution',
    'possible-sums',
    'predict',
    'ready-embeddings',
    'review-examples',
    'seldom',
    'solution',
    'solve-statistics',
  ],
  ['heads', 'scores', 'evaluation'],
  ['backbone', 'head', 'store', 'gemm', 'prediction', 'novelty'],
  ['memory', 'projection', 'image', 'snapshot', 'onnx', 'backbones'],
  ['linalg'],
  ['concat-bytes', 'errors', 'platform', 'sha256'],
];

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isType: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    return statSync(file).isDirectory() ? sources(file) : /\.tsx?$/.test(name) ? [file] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const pattern = /^(?:import|export)(\s+type)?\b[^;'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gms;
  return [...text.matchAll(pattern)].map((match) => ({
    file,
    target: match[2] ?? match[3],
    isType: match[1] !== undefined,
  }));
}

function roomOf(file: string, source: string): string {
  const [first] = path.relative(source, file).split(path.sep);
  return first.replace(/\.tsx?$/, '');
}

describe('the house', () => {
  it.each(Object.keys(PACKAGE_ARROWS))('%s imports only packages below it, and no package’s inside', (name) => {
    const source = path.join(root, 'packages', name, 'src');
    const upward = sources(source)
      .flatMap(importsOf)
      .filter(({ target }) => target.startsWith('@imprint/') || target.startsWith('..'))
      .filter(({ file, target }) => {
        if (target.startsWith('@imprint/')) {
          const [, other, inside] = target.split('/');
          return !PACKAGE_ARROWS[name].includes(other) || inside !== undefined;
        }
        return path.relative(source, path.resolve(path.dirname(file), target)).startsWith('..');
      })
      .map(({ file, target }) => `${path.relative(root, file)} -> ${target}`);
    expect(upward).toEqual([]);
  });

  it('has only rooms that the plan names in core', () => {
    const source = path.join(root, 'packages/core/src');
    const unknown = sources(source).filter((file) => !CORE_FLOORS.flat().includes(roomOf(file, source)));
    expect(unknown.map((file) => path.relative(root, file))).toEqual([]);
  });

  it('points every import of core downward', () => {
    const source = path.join(root, 'packages/core/src');
    const floor = (room: string) => CORE_FLOORS.findIndex((rooms) => rooms.includes(room));
    const upward = sources(source)
      .flatMap(importsOf)
      .filter(({ target }) => target.startsWith('.'))
      // Contracts are types that every floor may speak of; they carry no code.
      .filter(({ file, target, isType }) => {
        const from = roomOf(file, source);
        const to = roomOf(path.resolve(path.dirname(file), target), source);
        const isContract = isType && floor(to) === 3;
        return from !== to && floor(from) > floor(to) && !isContract;
      })
      .map(({ file, target }) => `${path.relative(source, file)} -> ${target}`);
    expect(upward).toEqual([]);
  });

  it('has no import cycle in any package', () => {
    for (const name of Object.keys(PACKAGE_ARROWS)) {
      const files = sources(path.join(root, 'packages', name, 'src'));
      const edges = new Map(
        files.map((file) => [
          file,
          importsOf(file)
            .filter(({ target, isType }) => target.startsWith('.') && !isType)
            .map(({ target }) => path.resolve(path.dirname(file), target)),
        ]),
      );
      const done = new Set<string>();
      const visit = (file: string, trail: readonly string[]): void => {
        const again = trail.indexOf(file);
        if (again >= 0)
          throw new Error(
            `import cycle: ${[...trail.slice(again), file].map((item) => path.relative(root, item)).join(' -> ')}`,
          );
        if (done.has(file)) return;
        for (const next of edges.get(file) ?? []) visit(next, [...trail, file]);
        done.add(file);
      };
      for (const file of files) visit(file, []);
    }
  });

  it('keeps core to one dependency', () => {
    const { dependencies } = JSON.parse(readFileSync(path.join(root, 'packages/core/package.json'), 'utf8'));
    expect(Object.keys(dependencies)).toEqual(['@noble/hashes']);
  });

  it('pins every dependency to an exact version', () => {
    const manifests = ['package.json', ...Object.keys(PACKAGE_ARROWS).map((name) => `packages/${name}/package.json`)];
    const loose = manifests.flatMap((manifest) => {
      const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(path.join(root, manifest), 'utf8'));
      return Object.entries({ ...dependencies, ...devDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)))
        .map(([name, version]) => `${manifest}: ${name}@${String(version)}`);
    });
    expect(loose).toEqual([]);
  });
});
