#!/usr/bin/env node
/** `imprint-web-assets DIR`: copies the worker, the engine and the embedded backbone, for bundlers that leave such files behind. */

import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const USAGE = `Usage: imprint-web-assets DIR [--no-webgpu]

Copies the worker, ONNX Runtime and the embedded backbone of @imprint/web into DIR, made where it is missing.
Vite, webpack and Next.js do this by themselves. With esbuild or Bun let DIR be the folder \`assets\` beside the bundle:

  esbuild src/main.js --bundle --format=esm --outdir=dist && imprint-web-assets dist/assets

Anywhere else, pass the folder's URL: createClassifier({ assets: '/somewhere/' }).

  --no-webgpu   leaves out the two engines with WebGPU; pages then use WASM, and say so`;

const assets = fileURLToPath(new URL('../dist/assets/', import.meta.url));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const folders = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));

if (flags.includes('--help') || flags.includes('-h')) {
  console.log(USAGE);
} else if (folders.length !== 1 || flags.some((flag) => flag !== '--no-webgpu')) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  try {
    copyAssets(path.resolve(folders[0]), { webgpu: !flags.includes('--no-webgpu') });
  } catch (error) {
    console.error(`The assets could not be copied: ${error.message}`);
    process.exitCode = 1;
  }
}

function copyAssets(folder, { webgpu }) {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(assets).filter((name) => webgpu || !/jspi|asyncify|webgpu/.test(name));
  let sizeBytes = 0;
  for (const name of names) {
    copyFileSync(path.join(assets, name), path.join(folder, name));
    sizeBytes += statSync(path.join(folder, name)).size;
  }
  console.log(`${names.length} files, ${(sizeBytes / 1e6).toFixed(1)} MB, in ${folder}`);
}
