/** Downloads from a real server that is slow, cuts, lies, redirects and refuses; with kills and several processes. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, request as forward } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachedPrecisions, fetchModel, removeModel } from '../../../packages/node/src/models/fetch-model.ts';
import type { FetchOptions } from '../../../packages/node/src/models/fetch-model.ts';
import { parseHubManifest } from '../../../packages/node/src/models/hub-manifest.ts';
import { readHubModel } from '../../../packages/node/src/models/read-hub-model.ts';
import { tinyVit } from '../../unit/node/models/tiny-vit.ts';
import { answer, HubServer, REVISION } from './hub-server.ts';

const BUILT = resolve('packages/node/dist/models/fetch-model.js');
const CONTENT = randomBytes(1_500_000);

const json = {
  name: 'tiny',
  version: 1,
  repository: 'test/tiny',
  revision: null as string | null,
  licence: 'Apache-2.0',
  files: { fp32: { file: 'onnx/model.onnx', sizeBytes: null as number | null, sha256: null as string | null } },
  input: { name: 'pixel_values', size: 32, resize: 32, resample: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1] },
  output: { pooling: 'cls+mean', dim: 16 },
};
const manifest = parseHubManifest(JSON.stringify(json), 'test');

let cache: string;
let hub: HubServer;
let options: FetchOptions & { environment: Record<string, string> };
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'imprint-cache-'));
  hub = await HubServer.start(CONTENT);
  options = { environment: { IMPRINT_HUB_URL: hub.url, IMPRINT_CACHE: cache }, http: { backoffMs: 5, stallMs: 400 } };
});
afterEach(async () => {
  await hub.stop();
  await rm(cache, { recursive: true, force: true });
});

const modelPath = (): string => join(cache, 'models/tiny/onnx/model.onnx');
const partPath = (): string => `${modelPath()}.part`;

async function expectWhole(): Promise<void> {
  expect(Buffer.compare(await readFile(modelPath()), hub.content)).toBe(0);
  expect((await readdir(join(cache, 'models/tiny/onnx'))).sort()).toEqual(['model.onnx']);
  expect(existsSync(join(cache, 'models/tiny.lock'))).toBe(false);
}

describe('fetchModel', () => {
  it('resolves the commit, verifies the declared digest, locks both, and asks nobody the second time', async () => {
    const progress: number[] = [];
    const totals = new Set<number | undefined>();
    const fetched = await fetchModel(manifest, {
      ...options,
      onProgress: ({ receivedBytes, totalBytes }) => (progress.push(receivedBytes), totals.add(totalBytes)),
    });
    expect(fetched).toEqual({
      path: modelPath(),
      precision: 'fp32',
      wasCached: false,
      locked: { repository: 'test/tiny', revision: REVISION, sizeBytes: CONTENT.length, sha256: hub.sha256 },
    });
    await expectWhole();
    expect(hub.apiRequests).toEqual([
      '/api/models/test/tiny/revision/main',
      `/api/models/test/tiny/tree/${REVISION}/onnx`,
    ]);
    expect(progress.at(-1)).toBe(CONTENT.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect([...totals]).toEqual([CONTENT.length]);
    expect((await cachedPrecisions(manifest, options)).get('fp32')?.sha256).toBe(hub.sha256);
    await hub.stop();
    expect(
      (await fetchModel(manifest, { ...options, environment: { ...options.environment, IMPRINT_OFFLINE: '1' } }))
        .wasCached,
    ).toBe(true);
    hub = await HubServer.start(CONTENT);
  });

  it('continues after every cut instead of beginning again', async () => {
    hub.behaviours = [hub.cutAt(300_000), hub.cutAt(700_000), hub.cutAt(1_200_000)];
    await fetchModel(manifest, options);
    await expectWhole();
    const ranges = hub.fileRequests.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]));
    expect(ranges).toHaveLength(4);
    expect(ranges[0]).toBe(0);
    for (let i = 1; i < ranges.length; i++) expect(ranges[i]).toBeGreaterThan(ranges[i - 1]);
    expect(hub.fileRequests[1].ifRange).toBe('"first"');
  });

  it('begins again where the server knows no ranges, has another version, or refuses the range', async () => {
    hub.ignoresRange = true;
    hub.behaviours = [hub.cutAt(400_000)];
    await fetchModel(manifest, options);
    await expectWhole();
    await removeModel('tiny', { cache });

    hub.ignoresRange = false;
    hub.behaviours = [hub.cutAt(400_000), answer(416)];
    await fetchModel(manifest, options);
    await expectWhole();
    await removeModel('tiny', { cache });

    hub.behaviours = [
      hub.cutAt(400_000),
      (request, response) => {
        hub.etag = '"second"';
        return hub.serve(request, response);
      },
    ];
    await fetchModel(manifest, options);
    await expectWhole();
  });

  it('survives silence: a server that stalls is left and asked again', async () => {
    hub.behaviours = [
      async (_, response, content) => {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 200_000));
        await sleep(3000);
      },
    ];
    const start = performance.now();
    await fetchModel(manifest, options);
    expect(performance.now() - start).toBeLessThan(2900);
    await expectWhole();
    expect(hub.fileRequests[1].range).toBe('bytes=200000-');
  });

  it('tries again after 500, 503 and 429, and waits as long as Retry-After says', async () => {
    hub.behaviours = [answer(500), answer(503), answer(429, { 'retry-after': '1' })];
    const start = performance.now();
    await fetchModel(manifest, options);
    expect(performance.now() - start).toBeGreaterThan(950);
    expect(hub.fileRequests).toHaveLength(4);
    await expectWhole();
  });

  it('gives up after five attempts without progress, and at once where the server wants an hour', async () => {
    hub.behaviours = Array.from({ length: 9 }, () => answer(500));
    await expect(fetchModel(manifest, options)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringMatching(/got status 500\. 5 attempts failed\. Check the network/),
    });
    expect(hub.fileRequests).toHaveLength(5);
    hub.behaviours = [answer(429, { 'retry-after': '3600' })];
    await expect(fetchModel(manifest, options)).rejects.toThrow('The server asks to wait 3600 seconds.');
    expect(hub.fileRequests).toHaveLength(6);
  });

  it('does not repeat a request that is refused: 404, 401', async () => {
    hub.behaviours = [answer(404), answer(401)];
    await expect(fetchModel(manifest, options)).rejects.toThrow(/got status 404\. The file is not there/);
    await expect(fetchModel(manifest, options)).rejects.toThrow(
      /got status 401\. The server or a proxy asks for a login/,
    );
    expect(hub.fileRequests).toHaveLength(2);
    expect(existsSync(modelPath())).toBe(false);
  });

  it('refuses what does not have the declared digest, keeps nothing of it, and locks nothing', async () => {
    hub.declared = { sha256: 'a'.repeat(64) };
    await expect(fetchModel(manifest, options)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining(`got sha256 ${hub.sha256} where ${'a'.repeat(64)} belongs`),
    });
    expect(await readdir(join(cache, 'models/tiny/onnx'))).toEqual([]);
    expect(existsSync(join(cache, 'locks/tiny.json'))).toBe(false);
  });

  it('refuses a file that is longer or shorter than declared, before it is downloaded', async () => {
    hub.declared = { size: CONTENT.length + 1 };
    await expect(fetchModel(manifest, options)).rejects.toThrow(
      `got ${CONTENT.length} bytes where ${CONTENT.length + 1} belong`,
    );
    hub.declared = { size: 1000 };
    await expect(fetchModel(manifest, options)).rejects.toThrow(`got ${CONTENT.length} bytes where 1000 belong`);
    // Without a stated length, the surplus is noticed as it arrives.
    hub.declared = {};
    hub.behaviours = [
      (_, response, content) => {
        response.writeHead(200, { 'transfer-encoding': 'chunked' });
        response.end(Buffer.concat([content, Buffer.alloc(10)]));
      },
    ];
    await expect(fetchModel(manifest, options)).rejects.toThrow(
      `got more than the ${CONTENT.length} bytes that belong to it`,
    );
  });

  it.each([
    [
      'an HTML page by its type',
      answer(200, { 'content-type': 'text/html; charset=utf-8' }, 'Please sign in'),
      'got an HTML page instead of the file',
    ],
    [
      'an HTML page by its start',
      answer(200, { 'content-type': 'application/octet-stream' }, '\n<!DOCTYPE html><html>'),
      'got an HTML page instead of the file',
    ],
    [
      'a git-LFS pointer',
      answer(200, {}, `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 5\n`),
      'got a git-LFS pointer instead of the file',
    ],
    [
      'compressed bytes',
      answer(200, { 'content-encoding': 'gzip' }, Buffer.from('1f8b08', 'hex')),
      'got gzip-encoded bytes',
    ],
    ['a redirect without end', answer(302, { location: '/store/again' }), 'got more than 5 redirects'],
    [
      'a redirect to a file of this machine',
      answer(302, { location: 'file:///etc/passwd' }),
      'got an address that is not http or https',
    ],
  ])('refuses %s', async (_, behaviour, message) => {
    hub.behaviours = Array.from({ length: 8 }, () => behaviour);
    await expect(fetchModel(manifest, options)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining(message),
    });
    expect(existsSync(modelPath())).toBe(false);
  });

  it('says when the API answers with a page, or lists no digest', async () => {
    const page = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<html>'));
    page.listen(0, '127.0.0.1');
    await once(page, 'listening');
    const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    await expect(
      fetchModel(manifest, { ...options, environment: { ...options.environment, IMPRINT_HUB_URL: url } }),
    ).rejects.toThrow('got no JSON but text/html');
    page.close();
    await expect(
      fetchModel(manifest, { ...options, environment: { ...options.environment, IMPRINT_HUB_URL: 'ftp://x' } }),
    ).rejects.toThrow('Check IMPRINT_HUB_URL');
  });

  it('stops when the signal aborts, keeps what arrived, and continues from there', async () => {
    hub.bytesPerMs = 2000;
    const controller = new AbortController();
    const aborted = fetchModel(manifest, {
      ...options,
      signal: controller.signal,
      onProgress: ({ receivedBytes }) => {
        if (receivedBytes > 400_000) controller.abort(new Error('changed my mind'));
      },
    });
    await expect(aborted).rejects.toThrow('changed my mind');
    const kept = (await stat(partPath())).size;
    expect(kept).toBeGreaterThan(400_000);
    hub.bytesPerMs = 0;
    await fetchModel(manifest, options);
    expect(hub.fileRequests[1].range).toBe(`bytes=${kept}-`);
    await expectWhole();
  });

  it('replaces a part that was damaged while it lay there', async () => {
    hub.behaviours = [hub.cutAt(500_000), answer(404)];
    await expect(fetchModel(manifest, options)).rejects.toThrow('404');
    const part = await readFile(partPath());
    part[1000] ^= 255;
    await writeFile(partPath(), part);
    await fetchModel(manifest, options);
    await expectWhole();
  });

  it('holds every later fetch against the lock, until it is unlocked', async () => {
    await fetchModel(manifest, options);
    const first = hub.sha256;
    expect(await removeModel('tiny', { cache })).toBe(CONTENT.length);
    hub.content = randomBytes(CONTENT.length);
    await expect(fetchModel(manifest, options)).rejects.toThrow(`got sha256 ${hub.sha256} where ${first} belongs`);
    await removeModel('tiny', { cache, unlock: true });
    await fetchModel(manifest, options);
    await expectWhole();
  });

  it('refuses a hub that declares another digest than the manifest pins', async () => {
    const pinned = structuredClone(json);
    pinned.revision = REVISION;
    pinned.files.fp32.sha256 = 'b'.repeat(64);
    await expect(fetchModel(parseHubManifest(JSON.stringify(pinned), 'test'), options)).rejects.toThrow(
      `sha256 ${hub.sha256} declared by the hub where ${'b'.repeat(64)} is pinned in the manifest`,
    );
    expect(hub.fileRequests).toHaveLength(0);
    pinned.files.fp32 = { file: 'onnx/model.onnx', sizeBytes: CONTENT.length, sha256: hub.sha256 };
    hub.apiRequests.length = 0;
    await fetchModel(parseHubManifest(JSON.stringify(pinned), 'test'), options);
    expect(hub.apiRequests).toEqual([]);
    // A release that pins another file does not quietly go on with the one in the cache.
    pinned.files.fp32.sha256 = 'b'.repeat(64);
    await expect(fetchModel(parseHubManifest(JSON.stringify(pinned), 'test'), options)).rejects.toThrow(
      /locked in the cache where b{64} is pinned in the manifest\. Run `imprint models remove tiny --unlock`/,
    );
  });

  it('says what to do offline', async () => {
    const environment = { ...options.environment, IMPRINT_OFFLINE: '1' };
    await expect(fetchModel(manifest, { ...options, environment })).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('imprint models fetch tiny'),
    });
    expect(hub.apiRequests).toEqual([]);
  });

  it('goes through the proxy of the environment, and past it for NO_PROXY', async () => {
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      seen.push(request.url ?? '');
      request.pipe(
        forward(request.url ?? '', { headers: request.headers }, (answered) =>
          answered.pipe(response.writeHead(answered.statusCode ?? 502, answered.headers)),
        ),
      );
    });
    proxy.on('connect', (request, client: Socket) => {
      seen.push(request.url ?? '');
      const [host, port] = (request.url ?? '').split(':');
      const server = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        server.pipe(client).pipe(server);
      });
      for (const socket of [server, client]) socket.on('error', () => undefined);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const environment = {
      ...options.environment,
      http_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    };
    await fetchModel(manifest, { ...options, environment });
    await expectWhole();
    expect(seen.length).toBeGreaterThan(0);
    await removeModel('tiny', { cache });
    seen.length = 0;
    await fetchModel(manifest, { ...options, environment: { ...environment, NO_PROXY: '127.0.0.1' } });
    expect(seen).toEqual([]);
    proxy.closeAllConnections();
    proxy.close();
  });

  it('gives readHubModel a model whose taps are exposed, and refuses it once its file has rotted', async () => {
    hub.content = Buffer.from(tinyVit());
    const model = await readHubModel(manifest, options);
    expect(model.identity).toMatchObject({
      name: 'tiny',
      sha256: hub.sha256,
      dim: 16,
      taps: ['cls6', 'cls5', 'cls4', 'cls3', 'mean6', 'mean4', 'mean2'],
    });
    expect(model.manifest).toMatchObject({ revision: REVISION, licence: 'Apache-2.0' });
    const rotten = await readFile(modelPath());
    rotten[9000] ^= 4;
    await writeFile(modelPath(), rotten);
    await expect(readHubModel(manifest, options)).rejects.toMatchObject({
      code: 'BACKBONE_INVALID',
      message: expect.stringContaining('Run `imprint models remove tiny`, then fetch it again.'),
    });
  });
});

describe('fetchModel in several processes', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** Fetches in a process of its own; prints each progress as a line, at last `done <wasCached>`. */
  function fetchInChild(): ChildProcess {
    const script = `
      const { fetchModel } = await import(${JSON.stringify(pathToFileURL(BUILT).href)});
      const { wasCached } = await fetchModel(${JSON.stringify(manifest)}, { onProgress: ({ receivedBytes }) => console.log(receivedBytes) });
      console.log('done', wasCached);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, ...options.environment, NO_PROXY: '127.0.0.1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    return child;
  }

  async function outputOf(child: ChildProcess): Promise<string> {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await once(child, 'close');
    return output;
  }

  it('downloads once for three processes that start together', async () => {
    hub.bytesPerMs = 1500;
    const outputs = await Promise.all([outputOf(fetchInChild()), outputOf(fetchInChild()), outputOf(fetchInChild())]);
    expect(hub.fileRequests).toHaveLength(1);
    expect(outputs.filter((output) => output.includes('done false'))).toHaveLength(1);
    expect(outputs.filter((output) => output.includes('done true'))).toHaveLength(2);
    await expectWhole();
  });

  it('continues what a process left that was killed with SIGKILL in the middle', async () => {
    hub.bytesPerMs = 1000;
    const child = fetchInChild();
    for await (const chunk of child.stdout ?? []) {
      const received = Number((chunk as Buffer).toString().trim().split('\n').at(-1));
      if (received > 300_000) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(existsSync(modelPath())).toBe(false);
    expect(existsSync(join(cache, 'models/tiny.lock'))).toBe(true);
    const kept = (await stat(partPath())).size;
    expect(kept).toBeGreaterThan(300_000);
    expect(kept).toBeLessThan(CONTENT.length);
    hub.bytesPerMs = 0;
    await fetchModel(manifest, options);
    expect(hub.fileRequests.map(({ range }) => range)).toEqual([undefined, `bytes=${kept}-`]);
    await expectWhole();
  });
});
