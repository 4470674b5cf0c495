/** Real photographs through DeiT-Tiny: known classes, a free event loop, the same bits every time. Needs ../shared. */

import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadBackbone, type NodeBackbone } from '@imprint/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const shared = process.env['IMPRINT_SHARED'] ?? resolve(import.meta.dirname, '../../../../shared');
const model = join(shared, 'models', 'deit_tiny_patch16_224.onnx');
const deitManifest = join(import.meta.dirname, '../../fixtures/deit-tiny/manifest.json');
const photos = join(shared, 'photos', 'caltech101');
const missing = !existsSync(model) || !existsSync(photos);

describe.skipIf(missing)('DeiT-Tiny on Caltech-101 photos (skipped where ../shared is missing)', () => {
  let folder: string;
  let backbone: NodeBackbone;
  const classes = missing ? [] : readdirSync(photos).sort().slice(0, 4);
  const files = classes.flatMap((name) =>
    readdirSync(join(photos, name))
      .sort()
      .slice(0, 16)
      .map((file) => join(photos, name, file)),
  );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imprint-deit-'));
    await symlink(model, join(folder, 'model.onnx'));
    await copyFile(deitManifest, join(folder, 'manifest.json'));
    backbone = await loadBackbone(folder, { device: 'cpu' });
  });
  afterAll(async () => {
    await backbone?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it('embeds 64 photos while the event loop never waits long, and photos of a class lie together', async () => {
    const embeddings: Float32Array[] = [];
    for await (const _ of backbone.embed(files.slice(0, 2))) void _; // the picture worker starts here
    let longestGapMs = 0;
    let last = performance.now();
    const clock = setInterval(() => {
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - last);
      last = now;
    }, 1);
    for await (const result of backbone.embed(files)) {
      if ('error' in result) throw result.error;
      embeddings[result.index] = result.embedding;
    }
    clearInterval(clock);
    // On a quiet machine it is 10 to 20 ms; one session.run on this thread would take 16 to 30 ms a picture, 64 in a row a second.
    expect(longestGapMs).toBeLessThan(300);
    expect(embeddings).toHaveLength(64);

    // Nearest neighbour by the last class token, leaving the photo itself out.
    const cosine = (a: Float32Array, b: Float32Array) => {
      let [product, squaresA, squaresB] = [0, 0, 0];
      for (let i = 0; i < 192; i++) {
        product += a[i] * b[i];
        squaresA += a[i] * a[i];
        squaresB += b[i] * b[i];
      }
      return product / Math.sqrt(squaresA * squaresB);
    };
    let correct = 0;
    embeddings.forEach((embedding, i) => {
      let best = -1;
      embeddings.forEach((other, j) => {
        if (i !== j && (best < 0 || cosine(embedding, other) > cosine(embedding, embeddings[best]))) best = j;
      });
      if (Math.floor(best / 16) === Math.floor(i / 16)) correct++;
    });
    expect(correct).toBeGreaterThanOrEqual(60);
  });

  it('gives a photo the same bits alone, in a stream and with all threads in one session', async () => {
    const inStream: Float32Array[] = [];
    for await (const result of backbone.embed(files.slice(0, 6)))
      if ('embedding' in result) inStream.push(result.embedding);
    await using single = await loadBackbone(folder, { device: 'cpu', sessions: 1 });
    for (const i of [0, 5]) {
      for (const other of [backbone, single]) {
        for await (const result of other.embed([files[i]]))
          expect('embedding' in result && result.embedding).toEqual(inStream[i]);
      }
    }
  });
});
