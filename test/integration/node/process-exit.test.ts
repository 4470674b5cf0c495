/** A process that ends while ONNX Runtime works in a thread ends with its own status, and not by SIGABRT. */

import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Without the gate about every second try aborted. */
const TRIES = 10;

const LOAD = `import { loadBackbone } from '@imprint/node';`;
const EMBED = `
  import sharp from 'sharp';
  const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } }).png().toBuffer();
  const backbone = await loadBackbone(undefined, { device: 'cpu' });
  const pictures = (function* () { for (;;) yield picture; })();
  const outcome = (async () => { for await (const one of backbone.embed(pictures)) ; })().catch(({ code }) => code);
`;

function run(body: string, milliseconds: number): ReturnType<typeof spawnSync> {
  const script = `${LOAD}\nconst later = ${milliseconds};\n${body}`;
  const options = { cwd: import.meta.dirname, encoding: 'utf8', timeout: 60_000 } as const;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
}

it.each([
  [
    'loads a backbone',
    20,
    `loadBackbone(undefined, { device: 'cpu' }).catch(() => {}); setTimeout(() => process.exit(7), later);`,
  ],
  ['embeds pictures', 5, `${EMBED} setTimeout(() => process.exit(7), later);`],
  [
    'disposes a busy backbone',
    5,
    `${EMBED} setTimeout(async () => { await backbone.dispose(); process.exit(await outcome === 'DISPOSED' ? 7 : 1); }, later);`,
  ],
])(
  'ends as told where it %s',
  (_, step, body) => {
    for (let i = 0; i < TRIES; i++) {
      const { status, signal, stderr } = run(body, 40 + i * step);
      expect({ status, signal, stderr }).toEqual({ status: 7, signal: null, stderr: '' });
    }
  },
  120_000,
);
