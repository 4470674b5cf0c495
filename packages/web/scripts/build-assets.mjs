/**
 * Fills dist/assets, which pages load beside our own code: the worker's two scripts, ONNX Runtime's builds with their WASM
 * gzipped (one of them is over the 25 MiB that some hosts take), and the embedded backbone. Nothing of it is in git.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundleWorker } from './bundle-worker.mjs';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const assets = path.join(dist, 'assets');
const { resolve } = createRequire(import.meta.url);
const runtime = path.dirname(resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
const backbone = path.dirname(resolve('@imprint/imprint-tiny/manifest.json'));

const SCRIPTS = [
  'ort.wasm.min.mjs',
  'ort-wasm-simd-threaded.mjs',
  'ort.jspi.min.mjs',
  'ort-wasm-simd-threaded.jspi.mjs',
  'ort.webgpu.min.mjs',
  'ort-wasm-simd-threaded.asyncify.mjs',
];
const WASM = [
  'ort-wasm-simd-threaded.wasm',
  'ort-wasm-simd-threaded.jspi.wasm',
  'ort-wasm-simd-threaded.asyncify.wasm',
];

// Gzipping 58 MB takes some seconds: files that fit this version of ONNX Runtime stay.
const { version } = JSON.parse(readFileSync(path.join(runtime, '../package.json'), 'utf8'));
const stamp = path.join(dist, '.assets-version');
const wanted = `onnxruntime-web ${version}`;
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) rmSync(assets, { recursive: true, force: true });
mkdirSync(assets, { recursive: true });

for (const name of SCRIPTS) {
  const script = readFileSync(path.join(runtime, name), 'utf8');
  // The maps have more bytes than the scripts and are not shipped: a browser's tools would ask for them in vain.
  writeFileSync(path.join(assets, name), script.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n'));
}
for (const name of WASM) {
  const target = path.join(assets, `${name}.gz`);
  if (!existsSync(target)) writeFileSync(target, gzipSync(readFileSync(path.join(runtime, name)), { level: 9 }));
}
copyFileSync(
  fileURLToPath(new URL('../third-party-notices.txt', import.meta.url)),
  path.join(assets, 'third-party-notices.txt'),
);
for (const name of ['manifest.json', 'model.onnx']) {
  writeFileSync(path.join(assets, name), readFileSync(path.join(backbone, name)));
}
for (const [name, code] of Object.entries(await bundleWorker())) writeFileSync(path.join(assets, name), code);
writeFileSync(stamp, wanted);
