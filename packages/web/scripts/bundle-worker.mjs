/**
 * The worker as two scripts: `worker.js`, and `worker-seldom.js` with what core's `loadSeldom` loads. Apps' bundlers give both
 * other names, so neither can import the other. The second is a function of what it uses of the first; the first asks
 * `globalThis.imprintSeldom` for it (see src/worker/seldom-script.ts).
 */

import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const main = fileURLToPath(new URL('../src/worker/main.ts', import.meta.url));

/**
 * @param options further options of rolldown
 * @returns {Promise<Record<string, string>>} the code of each script, minified
 */
export async function bundleWorker(options = {}) {
  const { output } = await build({
    // From the source: tsc would wrap the computed import() of ONNX Runtime. Rolldown keeps the comments by which an app's
    // bundler leaves that import alone, also where it minifies; esbuild drops them.
    input: main,
    platform: 'browser',
    transform: { target: 'es2022' },
    ...options,
    write: false,
    output: { format: 'esm', minify: true, entryFileNames: 'worker.js', chunkFileNames: '[name].js' },
  });
  const names = output.map(({ fileName }) => fileName).join();
  if (names !== 'worker.js,seldom.js') throw new Error(`Expected worker.js and seldom.js of rolldown, got ${names}.`);
  const [worker, seldom] = output.map(({ code }) => code);

  const exported = once(worker, /export\{([^}]*)\};?\s*$/);
  const shared = pairs(exported[1], (inside, outside) => `${outside}:${inside}`);
  const asked = once(worker, /import\(([`'"])\.\/seldom\.js\1\)/);
  const imported = once(seldom, /^import\{([^}]*)\}from([`'"])\.\/worker\.js\2;/);
  const given = once(seldom, /export\{([^}]*)\};?\s*$/);
  const parameter = pairs(imported[1], (outside, inside) => `${outside}:${inside}`);
  const result = pairs(given[1], (inside, outside) => `${outside}:${inside}`);
  return {
    'worker.js': worker.replace(exported[0], '').replace(asked[0], () => `globalThis.imprintSeldom({${shared}})`),
    'worker-seldom.js': `export default({${parameter}})=>{${seldom.slice(imported[0].length, -given[0].length)}return{${result}}};\n`,
  };
}

/** The one match of `pattern`: what rolldown writes may change with its version. */
function once(code, pattern) {
  const matches = [...code.matchAll(new RegExp(pattern.source, 'g'))];
  if (matches.length !== 1) throw new Error(`Expected ${pattern} once in a script, got it ${matches.length} times.`);
  return matches[0];
}

/** `a as b,c` as pairs of names. */
function pairs(list, join) {
  return list
    .split(',')
    .map((item) => item.split(' as '))
    .map(([from, to = from]) => join(from, to))
    .join();
}
