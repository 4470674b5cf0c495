/** A page that imports the built package, bundled by Vite as an app's would be. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as Imprint from '@imprint/web';
import { build } from 'vite';
import type { Route } from './serve.ts';

export const root = path.resolve(import.meta.dirname, '../..');

/** Where the shared photos lie; undefined where this checkout has none. */
export const photos = [process.env['IMPRINT_SHARED'] ?? path.resolve(root, '../shared')]
  .map((folder) => path.join(folder, 'photos'))
  .find((folder) => existsSync(folder));

declare global {
  /** What the default page has: every export of the package. */
  var imprint: typeof Imprint;
}

const EVERYTHING = `import * as imprint from '@imprint/web';\nglobalThis.imprint = imprint;\n`;

export interface BuiltPage extends Disposable {
  /** The folder of the built page. */
  readonly folder: string;
  /** Routes for `serve`: the page at `/`, `/fixtures`, `/imprint-tiny`, and `/photos` where there are any. */
  readonly routes: Record<string, Route>;
}

/**
 * Bundles `source` (a module; by default one that puts all exports into `globalThis.imprint`) with Vite's defaults.
 * The package must be built: `npm run build`.
 */
export async function buildPage(source = EVERYTHING, options: { readonly body?: string } = {}): Promise<BuiltPage> {
  const folder = temporaryFolder('page-');
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,"></head>
<body>${options.body ?? ''}<script type="module" src="./main.js"></script></body></html>`;
  writeFileSync(path.join(folder, 'index.html'), html);
  writeFileSync(path.join(folder, 'main.js'), source);
  return buildApp(folder, { isTemporary: true });
}

/** Bundles the app in `folder` (its index.html) with Vite's defaults, into a folder of its own. */
export async function buildApp(folder: string, options: { readonly isTemporary?: boolean } = {}): Promise<BuiltPage> {
  const dist = temporaryFolder('dist-');
  await build({
    root: folder,
    configFile: false,
    logLevel: 'error',
    build: { outDir: dist, emptyOutDir: true, minify: false, chunkSizeWarningLimit: 1e6 },
  });
  const routes: Record<string, Route> = {
    '/': dist,
    '/fixtures': path.join(root, 'test/fixtures'),
    '/imprint-tiny': path.join(root, 'models/imprint-tiny'),
  };
  if (photos !== undefined) routes['/photos'] = photos;
  return {
    folder: dist,
    routes,
    [Symbol.dispose]() {
      for (const made of options.isTemporary ? [dist, folder] : [dist]) rmSync(made, { recursive: true, force: true });
    },
  };
}

/** Inside the repository, so that imports resolve as they do for an app; git does not see it. */
function temporaryFolder(prefix: string): string {
  const home = path.join(root, 'node_modules/.cache/imprint-pages');
  mkdirSync(home, { recursive: true });
  return mkdtempSync(path.join(home, prefix));
}
