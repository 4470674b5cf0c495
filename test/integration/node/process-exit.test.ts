/** A process ends with its own status, not by SIGABRT, while ONNX Runtime works in a thread, and by itself when there is nothing left to do. */

import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Without the gate every second or third try aborted. */
const TRIES = 7;

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

it.each([
  ['a backbone', `import { loadBackbone } from '@imprint/node'; await loadBackbone(undefined, { device: 'cpu' });`],
  [
    'a second backbone',
    `import { loadBackbone } from '@imprint/node';
     const used = await loadBackbone(undefined, { device: 'cpu' });
     for await (const result of used.embed([Buffer.from('text')])) if (!result.error) process.exit(9);
     await loadBackbone(undefined, { device: 'cpu' });`,
  ],
  [
    'a classifier',
    `import { createClassifier } from '@imprint/node';
     const classifier = await createClassifier({ device: 'cpu' });
     if (classifier.classes.length > 0) process.exit(9);`,
  ],
])(
  'ends by itself where %s was loaded, embedded nothing and was not disposed',
  (_, script) => {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', timeout: 30_000 } as const;
    const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  },
  60_000,
);
