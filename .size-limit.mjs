/** Budgets of @imprint/web, checked by size-limit: our own code, every asset, a first visit. Needs `npm run build`. */

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { build } from 'rolldown';

const root = import.meta.dirname;
const assets = path.join(root, 'packages/web/dist/assets');

// Our own code as an app ships it: its page's part and the worker, minified. Libraries are others' code (the page's part has
// none, the worker's is a hash); ONNX Runtime is loaded by URL.
const code = ['index.ts', 'worker/main.ts'].map((entry) => ({
  input: path.join(root, 'packages/web/src', entry),
  file: path.join(root, 'node_modules/.cache/imprint-size', entry.replace(/\W/g, '-') + '.js'),
}));
for (const { input, file } of code) {
  await build({
    input,
    platform: 'browser',
    external: /^(?!@imprint\/)[@\w]/,
    transform: { target: 'es2022' },
    output: { file, format: 'esm', minify: true, codeSplitting: false },
  });
}

const page = code[0].file;
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
  // The plan's figure is 60 kB. 57 held before core's WebAssembly kernels, updates in place and the stores came: 68 now.
  { name: 'our own code, page and worker, gzip', path: code.map(({ file }) => file), gzip: true, limit: '72 kB' },
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
