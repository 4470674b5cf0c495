/** @imprint/web where there is no page: imported and rendered by Node, as server rendering does. */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');

/** Runs a module in a Node of its own, which has no DOM, and returns what it printed. */
function runInNode(source: string): string {
  const args = ['--input-type=module', '--unhandled-rejections=strict', '--eval', source];
  return execFileSync(process.execPath, args, { cwd: path.join(root, 'test'), encoding: 'utf8' }).trim();
}

describe('@imprint/web on a server', () => {
  it('can be imported, every door of it, and leaves nothing running', () => {
    const source = `
      const before = Object.keys(globalThis);
      const doors = await Promise.all(['@imprint/web', '@imprint/web/react', '@imprint/web/element'].map((door) => import(door)));
      if (Object.keys(globalThis).length !== before.length) throw new Error('a global was added');
      console.log(doors.map((door) => Object.keys(door).length > 0).join());`;
    expect(runInNode(source)).toBe('true,true,true');
  });

  it('says in one sentence that it needs a page', () => {
    const source = `
      import { createClassifier } from '@imprint/web';
      await createClassifier().then(() => console.log('made'), (error) => console.log(error.name, error.code, error.message));`;
    expect(runInNode(source)).toMatch(/^ImprintError UNSUPPORTED Expected a page.*@imprint\/node/);
  });

  it('renders as loading through React’s server renderer', () => {
    const source = `
      import { createElement } from 'react';
      import { renderToString } from 'react-dom/server';
      import { useClassifier, usePrediction } from '@imprint/web/react';
      function Used() {
        const { status, classifier, classes } = useClassifier({ store: 'pets' });
        const { prediction } = usePrediction(classifier, { current: null });
        return createElement('p', null, status, classes.length, String(prediction));
      }
      console.log(renderToString(createElement(Used)).replaceAll('<!-- -->', ' '));`;
    expect(runInNode(source)).toBe('<p>loading 0 undefined</p>');
  });

  it('imports on a page only what its package.json names', () => {
    const dist = path.join(root, 'packages/web/dist');
    const manifest = JSON.parse(readFileSync(path.join(root, 'packages/web/package.json'), 'utf8'));
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    const scripts = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(
      // The worker is shipped as one script in assets/.
      (name) => name.endsWith('.js') && !name.startsWith('worker') && !name.startsWith('assets'),
    );
    const bare = scripts.flatMap((name) =>
      [
        ...readFileSync(path.join(dist, name), 'utf8').matchAll(
          /^(?:import|export) (?:[^;'"]*? from )?['"]([^.'"][^'"]*)['"];$/gm,
        ),
      ].map((match) =>
        match[1]
          .split('/')
          .slice(0, match[1].startsWith('@') ? 2 : 1)
          .join('/'),
      ),
    );
    expect(bare).toContain('@imprint/core');
    expect(scripts.length).toBeGreaterThan(5);
    expect([...new Set(bare)].filter((name) => !declared.includes(name))).toEqual([]);
    expect(bare.filter((name) => builtinModules.includes(name))).toEqual([]);
  });
});
