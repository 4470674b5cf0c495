/** A process that ends while ONNX Runtime works in a thread ends with its own status, and not by SIGABRT. */

import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Without the gate every second or third try aborted. */
const TRIES = 10;

const LOAD = `import { loadBackbone } from '@imprint/node';`;
const EMBED = `
  import sharp from 'sharp';
  const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } }).png().toBuffer();
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  async function embedding() {
    const backbone = await loadBackbone(undefined, { device: 'cpu' });
    const pictures = (function* () { for (;;) yield picture; })();
    const outcome = (async () => { for await (const one of backbone.embed(pictures)) ; })().catch(({ code }) => code);
    return { backbone, outcome };
  }
`;
const EXIT = `${EMBED} await embedding(); await sleep(200 + later); process.exit(7);`;
const DISPOSE = `${EMBED}
  for (let i = 0; i < 10; i++) {
    const { backbone, outcome } = await embedding();
    await sleep(100 + 3 * i);
    await backbone.dispose();
    if (await outcome !== 'DISPOSED') process.exit(1);
  }
  process.exit(7);
`;

function run(body: string, milliseconds: number): ReturnType<typeof spawnSync> {
  const script = `${LOAD}\nconst later = ${milliseconds};\n${body}`;
  const options = { cwd: import.meta.dirname, encoding: 'utf8', timeout: 60_000 } as const;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
}

it.each([
  [
    'loads a backbone',
    TRIES,
    `loadBackbone(undefined, { device: 'cpu' }).catch(() => {}); setTimeout(() => process.exit(7), 20 + 2 * later);`,
  ],
  ['embeds pictures', TRIES, EXIT],
  ['disposes busy backbones', 1, DISPOSE],
])(
  'ends as told where it %s',
  (_, tries, body) => {
    for (let i = 0; i < tries; i++) {
      const { status, signal, stderr } = run(body, 10 * i);
      expect({ status, signal, stderr }).toEqual({ status: 7, signal: null, stderr: '' });
    }
  },
  120_000,
);
