/**
 * The compiled modules as three files for Node: the library, what `loadSeldom` loads, and what both use. Node takes longer to
 * find and read 120 files than to run them, and each of its threads does so again. Bundlers of apps get the modules.
 */

import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const dist = (file) => fileURLToPath(new URL(`../dist/${file}`, import.meta.url));

await build({
  input: dist('index.js'),
  platform: 'node',
  external: /^@noble\//,
  output: {
    dir: dist('node'),
    format: 'esm',
    entryFileNames: 'index.js',
    chunkFileNames: ({ name }) => (name === 'seldom' ? 'seldom.js' : 'shared.js'),
    cleanDir: true,
  },
});
