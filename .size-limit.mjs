/** Budgets of @imprint/web, checked by size-limit: our own code, every asset, a first visit. Needs `npm run build`. */

import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'rolldown';
import { bundleWorker } from './packages/web/scripts/bundle-worker.mjs';

const root = import.meta.dirname;
const assets = path.join(root, 'packages/web/dist/assets');

// Our own code as an app ships it, minified: its page's part and the worker's two scripts. Libraries are others' code (the page's
// part has none, the worker's is a hash); ONNX Runtime is loaded by URL.
const external = /^(?!@imprint\/)[@\w]/;
const folder = path.join(root, 'node_modules/.cache/imprint-size');
const page = path.join(folder, 'page.js');
await build({
  input: path.join(root, 'packages/web/src/index.ts'),
  platform: 'browser',
  external,
  transform: { target: 'es2022' },
  output: { file: page, format: 'esm', minify: true, codeSplitting: false },
});
for (const [name, code] of Object.entries(await bundleWorker({ external })))
  writeFileSync(path.join(folder, name), code);
const own = (name) => path.join(folder, name);

const worker = path.join(assets, 'worker.js');
const backbone = ['manifest.json', 'model.onnx'];
const ENGINES = {
  wasm: ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm.gz'],
  'webgpu (jspi)': ['ort.jspi.min.mjs', 'ort-wasm-simd-threaded.jspi.mjs', 'ort-wasm-simd-threaded.jspi.wasm.gz'],
  'webgpu (asyncify)': [
    'ort.webgpu.min.mjs',
    'ort-wasm-simd-threaded.asyncify.mjs',
    'ort-wasm-simd-threaded.asyncify.wasm.gz',
  ],
};

export default [
  // What every first visit loads: the embedded backbone, the default head, up to 4,096 examples.
  { name: 'our own code, page and worker, gzip', path: [page, own('worker.js')], gzip: true, limit: '67.7 kB' },
  // Loaded when asked for: other backbones, other heads, a change of more than 96 examples, more than 4,096, memory "statistics", evaluate, review, suggest.
  { name: 'our own code, seldom used, gzip', path: own('worker-seldom.js'), gzip: true, limit: '26.5 kB' },
  ...readdirSync(assets).map((name) => ({
    name: `asset ${name}`,
    path: path.join(assets, name),
    brotli: false,
    // 25 MiB: what the strictest of the common static hosts takes.
    limit: '26214400 B',
  })),
  // Uncompressed but for what is gzipped on disk: no host is relied on to compress.
  ...Object.entries(ENGINES).map(([engine, files]) => ({
    name: `first visit, ${engine}`,
    path: [page, worker, ...[...files, ...backbone].map((name) => path.join(assets, name))],
    brotli: false,
    limit: '15 MB',
  })),
];
