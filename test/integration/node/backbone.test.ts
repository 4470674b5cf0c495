/** The Node backbone in its worker threads, with a real (tiny) ONNX model: order, errors, memory, crashes, shutdown. */

import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { imageId, type Embedded } from '@imprint/core';
import { loadBackbone, type ImageInput, type NodeBackbone } from '@imprint/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TINY = fileURLToPath(new URL('../../fixtures/tiny-backbone', import.meta.url));

let folder: string;
let backbone: NodeBackbone;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-backbone-'));
  backbone = await loadBackbone(TINY, { device: 'cpu' });
});
afterAll(async () => {
  await backbone?.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** A PNG that is different for every `seed`. */
function photo(seed: number, side = 40): Promise<Buffer> {
  const data = Buffer.from(Array.from({ length: side * side * 3 }, (_, i) => (i * (seed * 2 + 3) + seed * 31) % 256));
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
}

async function all(results: AsyncIterable<Embedded>): Promise<Embedded[]> {
  const list: Embedded[] = [];
  for await (const result of results) list.push(result);
  return list;
}

function embeddingOf(result: Embedded | undefined): Float32Array {
  if (result === undefined || 'error' in result) throw result?.error ?? new Error('no result');
  return result.embedding;
}

const embedOne = async (input: ImageInput, from = backbone) => embeddingOf((await all(from.embed([input])))[0]);

/** The same model in a folder of its own, with a changed manifest. */
async function variant(name: string, change: (manifest: Record<string, unknown>) => void): Promise<string> {
  const path = join(folder, name);
  await cp(TINY, path, { recursive: true });
  const file = join(path, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  change(manifest);
  await writeFile(file, JSON.stringify(manifest));
  return path;
}

describe('embedding', () => {
  it('gives every input its result in input order, errors in their places, and goes on', async () => {
    const good = await Promise.all([0, 1, 2, 3].map((seed) => photo(seed)));
    const path = join(folder, 'picture.png');
    await writeFile(path, good[1]);
    const inputs: ImageInput[] = [
      good[0],
      path,
      Buffer.from('text'),
      pathToFileURL(path),
      join(folder, 'missing.jpg'),
      new Blob([new Uint8Array(good[2])]),
      { image: good[3], id: 'mine', source: 'where' },
      good[3].buffer.slice(good[3].byteOffset, good[3].byteOffset + good[3].length) as ArrayBuffer,
      42 as unknown as ImageInput,
      new URL('https://example.com/a.jpg'),
      new URL('file://elsewhere.invalid/a%20b.jpg'),
      folder,
    ];
    const results = await all(backbone.embed(inputs));
    expect(results.map(({ index }) => index)).toEqual(inputs.map((_, i) => i));
    expect(results.map((result) => ('error' in result ? result.error.code : result.id))).toEqual([
      imageId(good[0]),
      imageId(good[1]),
      'IMAGE_UNREADABLE',
      imageId(good[1]),
      'IMAGE_UNREADABLE',
      imageId(good[2]),
      'mine',
      imageId(good[3]),
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'IMAGE_UNREADABLE',
    ]);
    expect(results.map(({ source }) => source).slice(0, 7)).toEqual([
      undefined,
      'picture.png',
      undefined,
      'picture.png',
      'missing.jpg',
      undefined,
      'where',
    ]);
    expect(embeddingOf(results[1])).toEqual(embeddingOf(results[3]));
    expect(embeddingOf(results[6])).toEqual(embeddingOf(results[7]));
    expect(embeddingOf(results[0])).toHaveLength(2 * 16);
  });

  it('gives a picture the same bits alone and in any company, at every batch size and number of sessions', async () => {
    const photos = await Promise.all(Array.from({ length: 11 }, (_, seed) => photo(seed)));
    const alone = await embedOne(photos[5]);
    expect(embeddingOf((await all(backbone.embed(photos)))[5])).toEqual(alone);
    for (const options of [{ batchSize: 4 }, { sessions: 1, numThreads: 2 }, { sessions: 3, numThreads: 3 }]) {
      await using other = await loadBackbone(TINY, { device: 'cpu', ...options });
      const among = embeddingOf((await all(other.embed(photos)))[5]);
      expect(among).toEqual(await embedOne(photos[5], other));
      if (!('batchSize' in options)) expect(among).toEqual(alone);
    }
  });

  it('answers as onnxruntime in Python did: the canary’s embedding from the manifest', () => {
    const taken = backbone.deviceReport.attempts.at(-1);
    expect(taken).toMatchObject({ device: 'cpu', state: 'taken' });
    expect(taken!.canaryCosine).toBeGreaterThan(0.99999);
  });

  it('pools taps from tensors of their own as the graph does', async () => {
    const pooled = await variant('pooled', (manifest) => {
      manifest['output'] = {
        dim: 16,
        taps: [
          { name: 'cls2', tensor: 'last_hidden_state', pooling: 'cls' },
          { name: 'mean2', tensor: 'last_hidden_state', pooling: 'mean' },
        ],
      };
    });
    const bytes = await photo(9);
    await using other = await loadBackbone(pooled, { device: 'cpu' });
    const [ours, theirs] = [await embedOne(bytes, other), await embedOne(bytes)];
    for (let i = 0; i < 32; i++) expect(Math.abs(ours[i] - theirs[i])).toBeLessThan(1e-5);
  });

  it('leaves the caller’s bytes alone, also those in a shared pool', async () => {
    const bytes = await photo(4);
    const pool = new Uint8Array(bytes.length + 100);
    pool.set(bytes, 50);
    const view = pool.subarray(50, 50 + bytes.length);
    const first = await embedOne(view);
    expect(view).toHaveLength(bytes.length);
    expect(await embedOne(view)).toEqual(first);
  });

  it('gives nothing for nothing, and refuses what is no list of pictures', async () => {
    expect(await all(backbone.embed([]))).toEqual([]);
    const path = 'a.jpg' as unknown as Iterable<ImageInput>;
    expect(() => backbone.embed(path)).toThrow('Expected a list or another iterable for inputs, got "a.jpg"');
    expect(() => backbone.embed(new Uint8Array(3) as unknown as Iterable<ImageInput>)).toThrow('in a list: [input]');
  });
});

describe('streams', () => {
  it('reads its source only a few pictures ahead of its reader', async () => {
    const bytes = await photo(1);
    let read = 0;
    function* source(): Generator<ImageInput> {
      for (; read < 1000; read++) yield bytes;
    }
    await using small = await loadBackbone(TINY, { device: 'cpu', sessions: 2, batchSize: 2 });
    let handedOut = 0;
    let furthest = 0;
    for await (const _ of small.embed(source())) {
      handedOut++;
      await new Promise((resolve) => setTimeout(resolve, 10));
      furthest = Math.max(furthest, read - handedOut);
      if (handedOut === 20) break;
    }
    expect(furthest).toBeLessThanOrEqual(2 * (2 * 2 + 2) + 1);
  });

  it('closes its source when the reader stops early', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<ImageInput> {
      try {
        for (let seed = 0; ; seed++) yield await photo(seed);
      } finally {
        closed = true;
      }
    }
    for await (const _ of backbone.embed(source())) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(true);
  });

  it('does not hold a result back for a source that is slow, at any batch size', async () => {
    await using batched = await loadBackbone(TINY, { device: 'cpu', batchSize: 8 });
    const bytes = await photo(2);
    let release: (() => void) | undefined;
    async function* source(): AsyncGenerator<ImageInput> {
      yield bytes;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    const results = batched.embed(source())[Symbol.asyncIterator]();
    expect((await results.next()).value).toMatchObject({ index: 0 });
    release!();
    expect((await results.next()).done).toBe(true);
  });

  it('ends with the signal’s reason, at once, also while the source sleeps', async () => {
    const controller = new AbortController();
    async function* source(): AsyncGenerator<ImageInput> {
      yield await photo(1);
      await new Promise(() => undefined);
    }
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 100);
    await expect(all(backbone.embed(source(), { signal: controller.signal }))).rejects.toBe(reason);
    await expect(all(backbone.embed([await photo(1)], { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect(await embedOne(await photo(1))).toHaveLength(32);
  });

  it('passes on what its source throws', async () => {
    function* source(): Generator<ImageInput> {
      yield Buffer.from('text');
      throw new Error('the source broke');
    }
    await expect(all(backbone.embed(source()))).rejects.toThrow('the source broke');
  });

  it('lets others by where a call was aborted: its pictures that wait for their turn are not opened', async () => {
    const bytes = await photo(3);
    let [opened, open] = [0, () => {}];
    const gate = new Promise<void>((resolve) => (open = resolve));
    const slow = () => ({
      [Symbol.toStringTag]: 'Blob',
      async arrayBuffer() {
        opened++;
        await gate;
        return Uint8Array.from(bytes).buffer;
      },
    });
    const controller = new AbortController();
    const streams = Array.from({ length: 5 }, () =>
      all(backbone.embed(Array.from({ length: 6 }, slow) as never, { signal: controller.signal })),
    );
    await expect.poll(() => opened).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const atOnce = opened;
    controller.abort(new Error('gone'));
    for (const stream of streams) await expect(stream).rejects.toThrow('gone');
    open();
    expect((await all(backbone.embed([bytes]))).map((item) => 'error' in item)).toEqual([false]);
    expect(opened).toBe(atOnce);
    expect(atOnce).toBeLessThan(30);
  });

  it('survives inputs and sources that are not what they say, each the fault of itself alone', async () => {
    const loop: { image?: unknown } = {};
    loop.image = loop;
    const odd = [loop, { [Symbol.toStringTag]: 'URL' }, { image: { [Symbol.toStringTag]: 'File' } }] as ImageInput[];
    async function* slowly() {
      yield await photo(1);
      for (const input of odd) yield input;
      yield await photo(2);
    }
    for (const source of [slowly(), [await photo(1), ...odd, await photo(2)]]) {
      const found = await all(backbone.embed(source));
      expect(found.map((item) => ('error' in item ? item.error.code : 'ok'))).toEqual([
        'ok',
        'INVALID_ARGUMENT',
        'INVALID_ARGUMENT',
        'IMAGE_UNREADABLE',
        'ok',
      ]);
    }
    const throwing = {
      get image(): never {
        throw new Error('the getter broke');
      },
    } as unknown as ImageInput;
    async function* late() {
      yield throwing;
    }
    await expect(all(backbone.embed(late()))).rejects.toThrow('the getter broke');
    await expect(all(backbone.embed([throwing]))).rejects.toThrow('the getter broke');
    const noResult = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }) };
    await expect(all(backbone.embed(noResult as never))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('serves several readers at once', async () => {
    const photos = await Promise.all([0, 1, 2, 3, 4, 5].map((seed) => photo(seed)));
    const [one, two] = await Promise.all([all(backbone.embed(photos)), all(backbone.embed([...photos].reverse()))]);
    expect(two.map(embeddingOf).reverse()).toEqual(one.map(embeddingOf));
  });
});

describe('devices', () => {
  it('says which device auto took, and why not the others', async () => {
    await using automatic = await loadBackbone(TINY);
    const { device, attempts } = automatic.deviceReport;
    expect(attempts.at(-1)).toMatchObject({ device, state: 'taken' });
    for (const attempt of attempts.slice(0, -1)) expect(attempt.reason).toMatch(/./);
    expect(automatic.device.startsWith(device)).toBe(true);
    for (const attempt of attempts.slice(0, -1))
      expect(automatic.device).toContain(`${attempt.device}: ${attempt.reason}`);
  });

  it('refuses a device whose answer to the canary is wrong', async () => {
    const wrong = await variant('wrong-canary', (manifest) => {
      const canary = manifest['canary'] as { embedding: number[] };
      canary.embedding = canary.embedding.map((value, i) => (i < 16 ? value : -value));
    });
    for (const device of ['cpu', 'auto'] as const) {
      await expect(loadBackbone(wrong, { device })).rejects.toMatchObject({
        code: 'DEVICE_INACCURATE',
        message: expect.stringMatching(/cosine of at least 0.99, got -1.0000/),
      });
    }
  });

  it('refuses a model that does not run on its manifest’s pixels, with what ONNX Runtime says', async () => {
    const larger = await variant('larger', (manifest) => {
      manifest['input'] = { ...(manifest['input'] as object), size: 40, resize: 40 };
    });
    await expect(loadBackbone(larger, { device: 'cpu' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(DEVICE_UNAVAILABLE|BACKBONE_INVALID)$/),
      message: expect.stringContaining('3 x 40 x 40'),
    });
  });

  it('takes a model without a stored canary, measured against the CPU', async () => {
    const bare = await variant('no-canary', (manifest) => delete manifest['canary']);
    await using other = await loadBackbone(bare, { device: 'cpu' });
    expect(other.deviceReport.attempts).toEqual([{ device: 'cpu', state: 'taken', canaryCosine: 1 }]);
  });

  it.each(['cuda', 'webgpu'] as const)('gives %s when asked for it, or says with a code why not', async (device) => {
    const outcome = await loadBackbone(TINY, { device }).catch((error: { code: string; message: string }) => error);
    if ('code' in outcome) {
      expect(outcome.code).toBe('DEVICE_UNAVAILABLE');
      expect(outcome.message).toMatch(
        new RegExp(`^Expected ${device} to be available, got: .+ Run \`imprint doctor\``),
      );
    } else {
      expect(outcome.device).toBe(device);
      const there = await embedOne(await photo(1), outcome);
      const here = await embedOne(await photo(1));
      for (let i = 0; i < here.length; i++) expect(Math.abs(there[i] - here[i])).toBeLessThan(0.02);
      await outcome.dispose();
    }
  });

  it('refuses unknown devices and odd numbers', async () => {
    await expect(loadBackbone(TINY, { device: 'tpu' as 'cpu' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(loadBackbone(TINY, { numThreads: 0 })).rejects.toThrow(
      'Expected a positive integer for numThreads, got 0',
    );
    await expect(loadBackbone(TINY, { batchSize: 1.5 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    for (const name of ['numThreads', 'sessions'])
      await expect(loadBackbone(TINY, { [name]: 5000 })).rejects.toThrow(`Expected at most 1024 for ${name}, got 5000`);
  });

  it('loads and answers alike with far more threads than cores, which once kept each other busy for ever', async () => {
    const bytes = await photo(1);
    await using crowded = await loadBackbone(TINY, { device: 'cpu', sessions: 1, numThreads: 1024 });
    expect(await embedOne(bytes, crowded)).toEqual(await embedOne(bytes));
  }, 30_000);
});

describe('life and death', () => {
  it('fails what runs with DISPOSED, refuses what comes after, and may be disposed twice', async () => {
    const mortal = await loadBackbone(TINY, { device: 'cpu' });
    const bytes = await photo(3);
    const endless = (function* () {
      for (;;) yield bytes as ImageInput;
    })();
    const running = all(mortal.embed(endless));
    const outcome = expect(running).rejects.toMatchObject({ code: 'DISPOSED' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all([mortal.dispose(), mortal.dispose()]);
    await outcome;
    await expect(all(mortal.embed([bytes]))).rejects.toMatchObject({ code: 'DISPOSED' });
    await mortal.dispose();
  });

  it.each(["the backbone's worker", 'the picture worker'])(
    'reports a crash of %s with a code, and starts a fresh one',
    async (crashing) => {
      const workers: { name: string; worker: Worker }[] = [];
      const note = (worker: Worker) =>
        workers.push({ name: (worker as unknown as { threadName?: string }).threadName ?? '', worker });
      process.on('worker', note);
      try {
        await using fragile = await loadBackbone(TINY, { device: 'cpu', sessions: 1 });
        const bytes = await photo(6);
        const before = await embedOne(bytes, fragile);
        // Loading starts the backbone's worker, the first picture starts the picture worker: in this order.
        const victim = crashing === 'the picture worker' ? workers.at(-1)! : workers[0];
        let read = 0;
        let isOver = false;
        const long = (function* () {
          for (; !isOver; read++) yield bytes as ImageInput;
        })();
        const running: Promise<unknown> = all(fragile.embed(long)).then(
          () => 'went on',
          (error: unknown) => error,
        );
        void running.then(() => (isOver = true));
        await expect.poll(() => read, { timeout: 30_000 }).toBeGreaterThan(30);
        // What it cannot read ends the thread by an exception, as a defect of its own would.
        const ended = new Promise((resolve) => victim.worker.once('exit', resolve));
        victim.worker.postMessage(null);
        await ended;
        const target = read + 200;
        await expect.poll(() => isOver || read > target, { timeout: 30_000 }).toBe(true);
        isOver = true;
        const outcome = await running;
        // In full flow its death is told. One that happens to be idle is replaced without a word, and the stream goes on.
        if (outcome !== 'went on') {
          expect(outcome).toMatchObject({
            code: 'DEVICE_UNAVAILABLE',
            message: expect.stringContaining(`Expected ${crashing} to keep running`),
          });
        }
        expect(await embedOne(bytes, fragile)).toEqual(before);
      } finally {
        process.off('worker', note);
      }
    },
  );

  it('keeps no process alive, disposed or not, and leaves standard output and error empty', () => {
    const door = import.meta.resolve('@imprint/node');
    const script = `
      import { loadBackbone } from ${JSON.stringify(door)};
      const backbone = await loadBackbone(${JSON.stringify(TINY)});
      for await (const result of backbone.embed([Buffer.from('text')])) if (!result.error) process.exit(9);
    `;
    const started = performance.now();
    const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect({ status: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr }).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: '',
    });
    expect(performance.now() - started).toBeLessThan(25_000);
  });
});
