/** `imprint models` from fetch to remove, against a hub on loopback and a cache of its own. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { models } from '../../../packages/cli/src/commands/models.ts';
import { runProgram } from '../../../packages/cli/src/program.ts';
import { tinyVit } from '../../unit/node/models/tiny-vit.ts';
import { HubServer, REVISION } from './hub-server.ts';

const NAMES = ['IMPRINT_CACHE', 'IMPRINT_HUB_URL', 'IMPRINT_OFFLINE', 'NO_PROXY'];
const before = NAMES.map((name) => process.env[name]);
let folder: string;
let hub: HubServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-models-'));
  hub = await HubServer.start(tinyVit({ dim: 192, size: 224, patch: 56, depth: 5 }));
  Object.assign(process.env, { IMPRINT_CACHE: folder, IMPRINT_HUB_URL: hub.url, NO_PROXY: '127.0.0.1' });
});
afterAll(async () => {
  NAMES.forEach((name, i) => {
    if (before[i] === undefined) delete process.env[name];
    else process.env[name] = before[i];
  });
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

async function imprint(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const status = await runProgram([models], ['models', ...argv], streams as unknown as NodeJS.Process);
  const [out, err] = await Promise.all([streams.stdout, streams.stderr].map((stream) => text(stream.end())));
  return { status, out, err };
}

describe('imprint models', () => {
  it('fetches a backbone once, lists it as here, verifies and removes it', async () => {
    const fetched = await imprint('fetch', 'deit-tiny');
    expect(fetched).toMatchObject({ status: 0, err: '' });
    expect(fetched.out).toContain('fetched and verified');
    expect(fetched.out).toContain(`at ${REVISION}, sha256 ${hub.sha256}. Licence: Apache-2.0`);
    expect((await imprint('fetch', 'deit-tiny', '--json')).out).toContain('"wasCached":true');
    expect(hub.fileRequests).toHaveLength(1);

    const listed = (await imprint('list', '--json')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const entry = listed.find(({ name }) => name === 'deit-tiny');
    expect(entry.files[0]).toEqual({
      precision: 'fp32',
      sizeBytes: hub.content.length,
      sha256: hub.sha256,
      isCached: true,
    });
    expect((await imprint('list')).out).toMatch(/deit-tiny +192 +224 px +cls\+mean +Apache-2\.0 +fp32 \(.*, here\)/);

    expect(JSON.parse((await imprint('verify', 'deit-tiny', '--json')).out)).toMatchObject({
      precision: 'fp32',
      sha256: hub.sha256,
      isAccurate: true,
    });
    expect((await imprint('remove', 'deit-tiny')).out).toContain('stay locked for a later fetch');
    expect(await imprint('verify', 'deit-tiny')).toMatchObject({
      status: 1,
      err: expect.stringContaining('Fetch it: imprint models fetch deit-tiny.'),
    });

    hub.content = Buffer.from(tinyVit({ seed: 9 }));
    expect(await imprint('fetch', 'deit-tiny')).toMatchObject({ status: 1, err: expect.stringContaining('where') });
    expect((await imprint('remove', 'deit-tiny', '--unlock')).out).toContain('are forgotten');
    expect((await imprint('fetch', 'deit-tiny')).status).toBe(0);
  });

  it('compares the precisions of a folder, and fails where one gives other embeddings', async () => {
    const preprocessor = { size: 32, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
    await writeFile(join(folder, 'config.json'), JSON.stringify({ hidden_size: 16 }));
    await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(preprocessor));
    await mkdir(join(folder, 'onnx'));
    await writeFile(join(folder, 'onnx/model.onnx'), tinyVit());
    await writeFile(join(folder, 'onnx/model_fp16.onnx'), tinyVit({ half: true }));
    const good = await imprint('verify', folder, '--json');
    expect(good.status).toBe(0);
    const [reference, half] = good.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(reference).toMatchObject({ precision: 'fp32', isAccurate: true });
    expect(half).toMatchObject({ precision: 'fp16', reference: 'fp32', least: 0.999, isAccurate: true });
    expect(half.cosine).toBeGreaterThan(0.999);
    expect(half.cosine).toBeLessThan(1);

    await writeFile(join(folder, 'onnx/model_quantized.onnx'), tinyVit({ seed: 2 }));
    const bad = await imprint('verify', folder);
    expect(bad.status).toBe(1);
    expect(bad.out).toMatch(/int8 .*inaccurate/);
    expect(bad.err).toMatch(
      /^imprint: Expected every precision of .* got other embeddings from int8\. Use a precision that is ok\.\n$/,
    );
  });

  it('proposes a manifest that works as it is printed', async () => {
    const path = join(folder, 'mine.onnx');
    await writeFile(path, tinyVit());
    const text = (await imprint('inspect', path)).out;
    expect(text).toMatch(/6 blocks of 16, 1 token before the patches/);
    expect(text).toMatch(/Note +Preprocessing is assumed/);
    const manifest = text.slice(text.indexOf('\n{') + 1);
    await writeFile(join(folder, 'manifest.json'), manifest);
    expect((await imprint('verify', join(folder, 'manifest.json'))).status).toBe(0);
    expect(JSON.parse((await imprint('inspect', path, '--json')).out).manifest).toEqual(
      JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')),
    );
  });

  it('tells wrong usage from failure', async () => {
    expect((await imprint()).status).toBe(2);
    expect((await imprint('fetch')).status).toBe(2);
    expect(await imprint('fetch', 'nobody')).toMatchObject({
      status: 1,
      err: expect.stringContaining('Expected the name of a hub backbone, got "nobody"'),
    });
    expect(await imprint('fetch', 'deit-tiny', '--precision', 'q9')).toMatchObject({
      status: 1,
      err: expect.stringContaining('It comes in fp32, fp16, int8.'),
    });
    await writeFile(join(folder, 'empty.onnx'), '');
    expect((await imprint('inspect', join(folder, 'empty.onnx'))).status).toBe(1);
  });
});
