/** What a web server may send for a file of ours, whole, in pieces or broken off. Node has the same fetch and streams as a worker. */

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fetchAsset } from '../../../packages/web/src/worker/fetch-asset.ts';

let state = 1;
// Four bits of noise a byte: gzip has something to do, and leaves half.
const bytes = Uint8Array.from(
  { length: 300_000 },
  () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 28,
);
const gzip = gzipSync(bytes);
let answer: RequestListener;
let url: string;
const server = createServer((request, response) => answer(request, response));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** The server's answer in pieces of `size` bytes, each in a turn of its own; broken off after `until` bytes. */
function pieces(body: Uint8Array, size: number, until = Infinity): RequestListener {
  return async (_, response) => {
    response.writeHead(200, { 'content-length': body.length });
    for (let i = 0; i < Math.min(body.length, until); i += size) {
      response.write(body.subarray(i, i + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (until < body.length) response.destroy();
    else response.end();
  };
}

const fetched = () => fetchAsset(url, 'the file');

it.each([1, 30, 65_536])('reads plain bytes and gzip that come %i at a time', async (size) => {
  const plain = bytes.subarray(0, size * 3000);
  for (const body of [plain, gzipSync(plain)]) {
    answer = pieces(body, size);
    expect(Buffer.compare(await fetched(), plain)).toBe(0);
  }
});

it.each([0, 1, 2, 63, 64, 65])('reads files of %i bytes', async (length) => {
  answer = (_, response) => response.end(bytes.subarray(0, length));
  expect([...(await fetched())]).toEqual([...bytes.subarray(0, length)]);
});

it.each(['<!doctype html><p>Not found', '\n\n  <!DOCTYPE HTML>', '<html lang="en">'])(
  'knows a page: %j',
  async (page) => {
    for (const size of [1, 100]) {
      answer = pieces(Buffer.from(page.padEnd(2000)), size);
      await expect(fetched()).rejects.toMatchObject({
        code: 'BACKBONE_NOT_FOUND',
        message: expect.stringContaining('got an HTML page'),
      });
    }
  },
);

it('says that a file is not there', async () => {
  answer = (_, response) => response.writeHead(404).end('x'.repeat(100_000));
  await expect(fetched()).rejects.toMatchObject({
    code: 'BACKBONE_NOT_FOUND',
    message: expect.stringMatching(/Expected the file at .* got HTTP 404/),
  });
});

it.each([
  ['plain bytes', bytes, 10],
  ['plain bytes', bytes, 200_000],
  ['gzip', gzip, 10],
  ['gzip', gzip, Math.floor(gzip.length / 2)],
])('tells a network that breaks within %s from a damaged file', async (_, body, until) => {
  answer = pieces(body, 5000, until);
  await expect(fetched()).rejects.toMatchObject({
    code: 'BACKBONE_NOT_FOUND',
    message: expect.stringContaining('could not fetch it'),
  });
});

it('says that nobody answers', async () => {
  await expect(fetchAsset('http://127.0.0.1:1/file', 'the file')).rejects.toMatchObject({
    code: 'BACKBONE_NOT_FOUND',
    message: expect.stringContaining('could not fetch it'),
  });
});

it('refuses gzip that is cut off, changed, or followed by something else', async () => {
  const changed = gzip.slice();
  changed[changed.length >> 1] ^= 0x55;
  const tampered = [gzip.subarray(0, gzip.length >> 1), gzip.subarray(0, -1), changed, Buffer.concat([gzip, bytes])];
  for (const body of tampered) {
    answer = (_, response) => response.end(body);
    await expect(fetched()).rejects.toMatchObject({
      code: 'BACKBONE_INVALID',
      message: expect.stringContaining('as gzip, got damaged data'),
    });
  }
});
