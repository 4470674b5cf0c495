/** Reading backbones from folders and files, run for real: the taps of a model must be what its inner tensors are. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readModelGraph } from '../../../../packages/core/src/onnx/read-model-graph.ts';
import { findResidualStream } from '../../../../packages/core/src/onnx/residual-stream.ts';
import { openSession } from '../../../../packages/node/src/backbone-session.ts';
import type { ModelContent } from '../../../../packages/node/src/models/model-content.ts';
import { readModel } from '../../../../packages/node/src/models/read-model.ts';
import { tinyVit } from './tiny-vit.ts';

const DEIT = resolve(process.env['IMPRINT_SHARED'] ?? '../shared', 'models/deit_tiny_patch16_224.onnx');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-models-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function place(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await mkdir(resolve(path, '..'), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

function pixels(size: number, seed = 5): Float32Array {
  let state = seed;
  return Float32Array.from(
    { length: 3 * size * size },
    () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1,
  );
}

/** One embedding, taps x dim, by the session that the library itself runs. */
async function embed(model: ModelContent, picture: Float32Array): Promise<Float32Array> {
  const session = await openSession(model.bytes, model.manifest, { device: 'cpu', numThreads: 1, batchSize: 1 });
  try {
    return await session.run([picture]);
  } finally {
    await session.release();
  }
}

function manifestFor(bytes: Uint8Array, output: unknown, size = 32): string {
  return JSON.stringify({
    name: 'tiny',
    version: 1,
    file: 'model.onnx',
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    licence: 'Apache-2.0',
    input: { name: 'pixel_values', size, resize: size, resample: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] },
    output,
  });
}

describe('readModel on a bare file', () => {
  it('proposes class token and patch mean of several depths, and says what it assumed', async () => {
    const path = await place('bare/tiny.onnx', tinyVit({ depth: 6 }));
    const model = await readModel(path);
    expect(model.identity).toMatchObject({
      name: 'tiny',
      dim: 16,
      taps: ['cls6', 'cls5', 'cls4', 'cls3', 'mean6', 'mean4', 'mean2'],
    });
    expect(model.identity.sha256).toBe(
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
    expect(model.identity.preprocessing).toMatchObject({ size: 32, resize: 37, resample: 'bicubic' });
    expect(model.notes).toEqual([expect.stringContaining('Preprocessing is assumed')]);
    const embedding = await embed(model, pixels(32));
    expect(embedding).toHaveLength(7 * 16);
    expect(embedding.every(Number.isFinite)).toBe(true);
  });

  it('takes the last layer alone where asked', async () => {
    const path = await place('last/tiny.onnx', tinyVit());
    expect((await readModel(path, { taps: 'last' })).identity.taps).toEqual(['cls', 'mean']);
  });

  it('gives the same taps whether the graph names its normalised tokens or only logits', async () => {
    const tokens = await embed(await readModel(await place('a/t.onnx', tinyVit())), pixels(32));
    const logits = await embed(await readModel(await place('a/l.onnx', tinyVit({ outputs: 'logits' }))), pixels(32));
    expect(logits).toEqual(tokens);
  });

  it('takes half-precision inner tensors as float32', async () => {
    const full = await embed(await readModel(await place('h/f.onnx', tinyVit())), pixels(32));
    const half = await embed(await readModel(await place('h/h.onnx', tinyVit({ half: true }))), pixels(32));
    expect(half).toBeInstanceOf(Float32Array);
    let dot = 0;
    let a = 0;
    let b = 0;
    for (let i = 0; i < full.length; i++) {
      dot += full[i] * half[i];
      a += full[i] ** 2;
      b += half[i] ** 2;
    }
    expect(dot / Math.sqrt(a * b)).toBeGreaterThan(0.999);
  });

  it("begins with CLIP's own class token, and with the mean where there is no class token", async () => {
    const clip = await readModel(await place('c/clip.onnx', tinyVit({ outputs: 'clip' })));
    expect(clip.manifest.output.taps[0]).toMatchObject({ name: 'cls6', pooling: 'none' });
    expect(await embed(clip, pixels(32))).toHaveLength(7 * 16);
    const siglip = await readModel(await place('c/siglip.onnx', tinyVit({ prefixTokens: 0 })));
    expect(siglip.identity.taps).toEqual(['mean6', 'mean4', 'mean2']);
    expect(siglip.manifest.output.taps[0]).toMatchObject({ pooling: 'mean', prefixTokens: 0 });
  });

  it.each([
    ['an empty file', () => new Uint8Array(0), 'BACKBONE_INVALID'],
    ['a truncated model', () => tinyVit().subarray(0, 2000), 'BACKBONE_INVALID'],
    ['an HTML page', () => new TextEncoder().encode('<!doctype html><p>Not found'), 'BACKBONE_INVALID'],
    ['weights in another file', () => tinyVit({ external: true }), 'UNSUPPORTED'],
    ['inputs that are not float32', () => tinyVit({ inputType: 11 }), 'UNSUPPORTED'],
  ])('refuses %s', async (name, bytes, code) => {
    await expect(readModel(await place(`bad/${name}.onnx`, bytes()))).rejects.toMatchObject({ code });
  });

  it('says what is missing', async () => {
    await expect(readModel(join(folder, 'nowhere'))).rejects.toMatchObject({
      code: 'BACKBONE_NOT_FOUND',
      message: expect.stringContaining('imprint models list'),
    });
    await mkdir(join(folder, 'empty'), { recursive: true });
    await expect(readModel(join(folder, 'empty'))).rejects.toThrow(
      /Expected manifest\.json, or config\.json and onnx\/, or one \.onnx file in .*, found none of them/,
    );
    await expect(
      readModel('mobileclip-s0', { cache: folder, environment: { IMPRINT_OFFLINE: '1' } }),
    ).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('got IMPRINT_OFFLINE'),
    });
  });

  it('stops when the signal aborts', async () => {
    const path = await place('abort/tiny.onnx', tinyVit());
    await expect(readModel(path, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

describe('readModel on a folder', () => {
  it('exposes the inner tensors that a manifest names, under names that are its outputs', async () => {
    const bytes = tinyVit({ depth: 3 });
    const blocks = findResidualStream(readModelGraph(bytes))?.blocks ?? [];
    const taps = [
      { name: 'cls3', tensor: 'last_hidden_state', pooling: 'cls' },
      { name: 'cls1', tensor: blocks[0], pooling: 'cls' },
      { name: 'mean1', tensor: blocks[0], pooling: 'mean', prefixTokens: 1 },
    ];
    await place('own/model.onnx', bytes);
    await place('own/manifest.json', manifestFor(bytes, { taps, dim: 16 }));
    const model = await readModel(join(folder, 'own'));
    expect(model.notes).toEqual([]);
    expect(model.manifest.output.taps.map((tap) => ('tensor' in tap ? tap.tensor : ''))).toEqual([
      'last_hidden_state',
      `${blocks[0]}/tap`,
      `${blocks[0]}/tap`,
    ]);
    const embedding = await embed(model, pixels(32));
    const session = await InferenceSession.create(model.bytes);
    const results = await session.run({ pixel_values: new Tensor('float32', pixels(32), [1, 3, 32, 32]) });
    const first = results[`${blocks[0]}/tap`].data as Float32Array;
    expect(embedding.subarray(0, 16)).toEqual((results['last_hidden_state'].data as Float32Array).subarray(0, 16));
    expect(embedding.subarray(16, 32)).toEqual(first.subarray(0, 16));
    for (let i = 0; i < 16; i++) {
      let sum = 0;
      for (let token = 1; token < 17; token++) sum += first[token * 16 + i];
      expect(embedding[32 + i]).toBeCloseTo(sum / 16, 5);
    }
    await session.release();
  });

  it('refuses a flipped bit, a missing model and a wrong length, each with the next step', async () => {
    const bytes = tinyVit();
    const manifest = manifestFor(bytes, {
      taps: [{ name: 'cls', tensor: 'last_hidden_state', pooling: 'cls' }],
      dim: 16,
    });
    await place('flip/manifest.json', manifest);
    await expect(readModel(join(folder, 'flip'))).rejects.toMatchObject({ code: 'BACKBONE_NOT_FOUND' });
    const flipped = bytes.slice();
    flipped[5000] ^= 1;
    await place('flip/model.onnx', flipped);
    await expect(readModel(join(folder, 'flip'))).rejects.toMatchObject({
      code: 'BACKBONE_INVALID',
      message: expect.stringMatching(/Expected sha256 [0-9a-f]{64} of .*, got [0-9a-f]{64}\. The file is damaged/),
    });
    await place('flip/model.onnx', bytes.subarray(1));
    await expect(readModel(join(folder, 'flip'))).rejects.toThrow(`Expected ${bytes.length} bytes in`);
    await rm(join(folder, 'flip/model.onnx'));
    await mkdir(join(folder, 'flip/model.onnx'));
    await expect(readModel(join(folder, 'flip'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  it("refuses a manifest whose tensors or inputs are not the model's", async () => {
    const bytes = tinyVit();
    await place('wrong/model.onnx', bytes);
    await place('wrong/manifest.json', manifestFor(bytes, { name: 'taps', taps: [{ name: 'a' }], dim: 16 }));
    await expect(readModel(join(folder, 'wrong'))).rejects.toThrow(
      'Expected a tensor that the model computes, got "taps"',
    );
    const renamed = manifestFor(bytes, { name: 'last_hidden_state', taps: [{ name: 'a' }], dim: 16 }).replace(
      'pixel_values',
      'image',
    );
    await place('wrong/manifest.json', renamed);
    await expect(readModel(join(folder, 'wrong'))).rejects.toThrow(
      'Expected an input "image" in the model of tiny, found pixel_values',
    );
  });

  it('chooses a variant by precision', async () => {
    const bytes = tinyVit();
    const other = tinyVit({ seed: 2 });
    const manifest = JSON.parse(
      manifestFor(bytes, { taps: [{ name: 'cls', tensor: 'last_hidden_state', pooling: 'cls' }], dim: 16 }),
    );
    manifest.variants = {
      int8: {
        file: 'onnx/int8.onnx',
        sizeBytes: other.length,
        sha256: createHash('sha256').update(other).digest('hex'),
      },
    };
    await place('variants/model.onnx', bytes);
    await place('variants/onnx/int8.onnx', other);
    await place('variants/manifest.json', JSON.stringify(manifest));
    expect((await readModel(join(folder, 'variants'))).manifest.file).toBe('model.onnx');
    const chosen = await readModel(join(folder, 'variants'), { precision: 'int8' });
    expect(chosen.identity.sha256).toBe(manifest.variants.int8.sha256);
    await expect(readModel(join(folder, 'variants'), { precision: 'q4' })).rejects.toThrow(
      'got "q4". It comes in int8.',
    );
  });

  it('reads the layout of transformers.js, with its preprocessing and its most precise file', async () => {
    await place('hf/config.json', JSON.stringify({ model_type: 'vit', hidden_size: 16 }));
    await place(
      'hf/preprocessor_config.json',
      JSON.stringify({
        do_resize: true,
        size: { shortest_edge: 40 },
        do_center_crop: true,
        crop_size: { height: 32, width: 32 },
        resample: 3,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
        rescale_factor: 0.00392156862745098,
      }),
    );
    await place('hf/onnx/model_quantized.onnx', tinyVit({ seed: 3 }));
    await place('hf/onnx/model.onnx', tinyVit());
    const model = await readModel(join(folder, 'hf'));
    expect(model.identity).toMatchObject({
      name: 'hf',
      dim: 16,
      preprocessing: { size: 32, resize: 40, resample: 'bicubic', mean: [0.5, 0.5, 0.5] },
    });
    expect(model.manifest.file).toBe('onnx/model.onnx');
    expect(model.notes).toEqual([]);
    expect((await readModel(join(folder, 'hf'), { precision: 'int8' })).manifest.file).toBe(
      'onnx/model_quantized.onnx',
    );
    await expect(readModel(join(folder, 'hf'), { precision: 'q4' })).rejects.toThrow('Expected q4 in');
    await place(
      'hf/preprocessor_config.json',
      JSON.stringify({ size: { height: 32, width: 32 }, image_mean: [0, 0, 0], image_std: [1, 1, 1], resample: 1 }),
    );
    expect((await readModel(join(folder, 'hf'))).notes).toEqual([
      expect.stringContaining('squeezes pictures'),
      expect.stringContaining('PIL 1'),
    ]);
    await place(
      'hf/preprocessor_config.json',
      JSON.stringify({ size: 64, image_mean: [0, 0, 0], image_std: [1, 1, 1] }),
    );
    await expect(readModel(join(folder, 'hf'))).rejects.toThrow('Expected pictures of 32 pixels');
  });
});

describe.skipIf(!existsSync(DEIT))('DeiT-Tiny from ../shared (skipped where it is not there)', () => {
  it("gives the file's own `taps` output from tensors inside the graph", async () => {
    const bytes = await readFile(DEIT);
    const graph = readModelGraph(bytes);
    const stream = findResidualStream(graph);
    const blocks = stream?.blocks ?? [];
    expect(blocks).toHaveLength(12);
    expect(stream).toMatchObject({ prefixTokens: 1, dim: 192 });
    const cls = [12, 11, 10, 9].map((block) => ({
      name: `cls${block}`,
      tensor: block === 12 ? 'last_hidden_state' : blocks[block - 1],
      pooling: 'cls',
    }));
    const mean = [12, 10, 8].map((block) => ({
      name: `mean${block}`,
      tensor: block === 12 ? stream?.final?.tensor : blocks[block - 1],
      pooling: 'mean',
      prefixTokens: 1,
    }));
    await mkdir(join(folder, 'deit'));
    await symlink(DEIT, join(folder, 'deit/model.onnx'));
    await place('deit/manifest.json', manifestFor(bytes, { taps: [...cls, ...mean], dim: 192 }, 224));
    const picture = pixels(224);
    const inner = await embed(await readModel(join(folder, 'deit')), picture);
    const stacked = await readModel(DEIT);
    expect(stacked.manifest.output).toMatchObject({ name: 'taps', dim: 192 });
    const own = await embed(stacked, picture);
    expect(inner).toHaveLength(7 * 192);
    // Class tokens are the same tensor's same numbers; means are summed in another order than ONNX Runtime's.
    expect(inner.subarray(0, 4 * 192)).toEqual(own.subarray(0, 4 * 192));
    for (let i = 4 * 192; i < own.length; i++) expect(Math.abs(inner[i] - own[i])).toBeLessThan(1e-5);
  });
});
