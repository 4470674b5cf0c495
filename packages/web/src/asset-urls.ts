/** Where the worker's script, the engines and the embedded backbone lie: beside this module, or in the folder that `assets` names. */

import { expected, ImprintError } from '@imprint/core';
import type { AssetUrls, EngineName, EngineUrls } from './protocol.ts';

/** What a caller may say about places. */
export interface AssetOptions {
  readonly assets?: string | URL;
  readonly backbone?: string | URL;
  readonly workerUrl?: string | URL;
}

/**
 * Vite's development server moves a package's modules to `node_modules/.vite/deps` and leaves its other files where they are.
 */
const VITE_DEPS = /\/node_modules\/\.vite\/.*$/;
const VITE_HOME = '/node_modules/@imprint/web/dist/assets/';

/** One file beside this module: `bundled` is what a bundler made of it. */
function ours(bundled: () => URL, file: string): string {
  let url: URL;
  try {
    url = bundled();
  } catch (cause) {
    throw new ImprintError(
      'FILE_UNREADABLE',
      `Expected to know where ${file} lies, but this bundle does not know its own address (import.meta.url). Run \`npx imprint-web-assets DIR\` and pass the URL of DIR as \`assets\`.`,
      { cause },
    );
  }
  if (VITE_DEPS.test(url.href)) {
    return url.href.replace(VITE_DEPS, `${VITE_HOME}${file}`);
  }
  return url.href;
}

// One literal a file, and nothing computed: that is what Vite and webpack recognise and emit.
const OURS = {
  'worker-seldom.js': () => new URL('./assets/worker-seldom.js', import.meta.url),
  'manifest.json': () => new URL('./assets/manifest.json', import.meta.url),
  'model.onnx': () => new URL('./assets/model.onnx', import.meta.url),
  'ort.wasm.min.mjs': () => new URL('./assets/ort.wasm.min.mjs', import.meta.url),
  'ort-wasm-simd-threaded.mjs': () => new URL('./assets/ort-wasm-simd-threaded.mjs', import.meta.url),
  'ort-wasm-simd-threaded.wasm.gz': () => new URL('./assets/ort-wasm-simd-threaded.wasm.gz', import.meta.url),
  'ort.jspi.min.mjs': () => new URL('./assets/ort.jspi.min.mjs', import.meta.url),
  'ort-wasm-simd-threaded.jspi.mjs': () => new URL('./assets/ort-wasm-simd-threaded.jspi.mjs', import.meta.url),
  'ort-wasm-simd-threaded.jspi.wasm.gz': () => new URL('./assets/ort-wasm-simd-threaded.jspi.wasm.gz', import.meta.url),
  'ort.webgpu.min.mjs': () => new URL('./assets/ort.webgpu.min.mjs', import.meta.url),
  'ort-wasm-simd-threaded.asyncify.mjs': () => new URL('./assets/ort-wasm-simd-threaded.asyncify.mjs', import.meta.url),
  'ort-wasm-simd-threaded.asyncify.wasm.gz': () =>
    new URL('./assets/ort-wasm-simd-threaded.asyncify.wasm.gz', import.meta.url),
} as const;

type AssetName = keyof typeof OURS;

const ENGINES: Readonly<Record<EngineName, Readonly<Record<keyof EngineUrls, AssetName>>>> = {
  wasm: {
    script: 'ort.wasm.min.mjs',
    glue: 'ort-wasm-simd-threaded.mjs',
    wasm: 'ort-wasm-simd-threaded.wasm.gz',
  },
  jspi: {
    script: 'ort.jspi.min.mjs',
    glue: 'ort-wasm-simd-threaded.jspi.mjs',
    wasm: 'ort-wasm-simd-threaded.jspi.wasm.gz',
  },
  asyncify: {
    script: 'ort.webgpu.min.mjs',
    glue: 'ort-wasm-simd-threaded.asyncify.mjs',
    wasm: 'ort-wasm-simd-threaded.asyncify.wasm.gz',
  },
};

/** An absolute URL. @throws INVALID_ARGUMENT for none, and for one of another origin */
function absolute(url: string | URL, name: string, base: string): URL {
  let made: URL;
  try {
    made = new URL(url, base);
  } catch {
    throw expected(name, 'a URL, absolute or relative to the page', url);
  }
  if (made.protocol !== 'data:' && made.origin !== globalThis.origin) {
    const next = 'Copy the files by `npx imprint-web-assets DIR` and serve them from this origin.';
    throw expected(name, "a URL of this page's origin", made.href, next);
  }
  return made;
}

/** The folder that `assets` names, with its last slash. */
function folderOf({ assets }: AssetOptions, base: string): URL | undefined {
  if (assets === undefined) return undefined;
  const url = absolute(assets, 'assets', base);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** URLs of everything that the worker loads. @param base the page's own URL */
export function assetUrls(options: AssetOptions, base: string): AssetUrls {
  const folder = folderOf(options, base);
  const place = (name: AssetName) => (folder === undefined ? ours(OURS[name], name) : new URL(name, folder).href);
  const engines = Object.fromEntries(
    Object.entries(ENGINES).map(([engine, files]) => [
      engine,
      { script: place(files.script), glue: place(files.glue), wasm: place(files.wasm) },
    ]),
  ) as Record<EngineName, EngineUrls>;
  const seldom = place('worker-seldom.js');
  if (options.backbone !== undefined) {
    return { engines, seldom, manifest: absolute(options.backbone, 'backbone', base).href };
  }
  return { engines, seldom, manifest: place('manifest.json'), model: place('model.onnx') };
}

/** Starts the worker's script. @throws FILE_UNREADABLE where the bundle cannot tell where it is */
export function startWorker(options: AssetOptions, base: string): Worker {
  const init = { type: 'module', name: 'imprint' } as const;
  if (options.workerUrl !== undefined) return workerAt(absolute(options.workerUrl, 'workerUrl', base), init);
  const folder = folderOf(options, base);
  if (folder !== undefined) return workerAt(new URL('worker.js', folder), init);
  const address = import.meta.url as string | undefined;
  if (address === undefined) ours(() => new URL(''), 'worker.js');
  else if (VITE_DEPS.test(address)) return new Worker(address.replace(VITE_DEPS, `${VITE_HOME}worker.js`), init);
  // This very form is what bundlers look for.
  return new Worker(new URL('./assets/worker.js', import.meta.url), { type: 'module', name: 'imprint' });
}

/** @throws INVALID_ARGUMENT for a script of another origin */
function workerAt(url: URL, init: WorkerOptions): Worker {
  try {
    return new Worker(url, init);
  } catch (cause) {
    const message = `Expected a worker script of this page's origin, got ${url.href} (${(cause as Error).message}). Copy the files by \`npx imprint-web-assets DIR\` and serve them from this origin.`;
    throw new ImprintError('INVALID_ARGUMENT', message, { cause });
  }
}
