/** Folders of apps that hold the packed packages, as `npm install` of the published ones would leave them. */

import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from './build-page.ts';

export const fixtures = path.join(root, 'test/bundlers');
const PACKED = ['packages/core', 'packages/node', 'packages/web', 'models/imprint-tiny'];

export interface PackedApps extends Disposable {
  /** A new app's folder: `main.js`, `index.html` and `learn-and-classify.js`, and over them what the fixture `name` has. */
  app(name: string): string;
}

/**
 * Packs the packages once. An app's folder stands inside this repository, so that bundlers, React and the packages' own
 * dependencies are found without a network; Imprint's packages are found in the app first, from their tarballs.
 */
export function packApps(): PackedApps {
  const home = path.join(fixtures, '.apps');
  mkdirSync(home, { recursive: true });
  const folder = mkdtempSync(path.join(home, 'run-'));
  const scope = path.join(folder, 'node_modules/@imprint');
  for (const source of PACKED) {
    const tarballs = path.join(folder, 'tarballs', path.basename(source));
    const target = path.join(scope, path.basename(source));
    for (const made of [tarballs, target]) mkdirSync(made, { recursive: true });
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', tarballs];
    execFileSync('npm', pack, { cwd: path.join(root, source), stdio: ['ignore', 'ignore', 'inherit'] });
    const [tarball] = readdirSync(tarballs);
    execFileSync('tar', ['-xzf', path.join(tarballs, tarball), '--strip-components=1', '-C', target]);
  }
  return {
    app(name) {
      const app = path.join(folder, name);
      mkdirSync(app);
      cpSync(path.join(folder, 'node_modules'), path.join(app, 'node_modules'), { recursive: true });
      for (const shared of ['main.js', 'index.html', 'learn-and-classify.js']) {
        cpSync(path.join(fixtures, shared), path.join(app, shared));
      }
      const own = path.join(fixtures, name);
      if (readdirSync(fixtures).includes(name)) cpSync(own, app, { recursive: true });
      writeFileSync(
        path.join(app, 'package.json'),
        JSON.stringify({ name: `app-${name}`, private: true, type: 'module' }),
      );
      return app;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs one of this repository's tools in an app's folder; its output is in the error where it fails. */
export async function runTool(
  app: string,
  tool: string,
  args: readonly string[],
  timeoutMs = 240_000,
): Promise<string> {
  const program = path.join(root, 'node_modules/.bin', tool);
  const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', CI: '1' };
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: app, env, timeout: timeoutMs });
  return stdout + stderr;
}
