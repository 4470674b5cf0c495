/** Devices on a page: WebGPU answers as WASM does, a lost GPU costs nothing but the GPU, and what was not taken is told. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeSnapshot } from '@imprint/core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BuiltPage } from './build-page.ts';
import { root } from './build-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { ISOLATED, serve, type Site } from './serve.ts';

const TINY = '/fixtures/tiny-backbone/manifest.json';
const ASSETS = path.join(root, 'packages/web/dist/assets');

// SwiftShader compiles shaders for seconds on a busy machine.
describeInBrowser('devices on a page', { timeout: 180_000 }, () => {
  let browser: Browser;
  let site: Site;
  let home: HomePage;
  let built: BuiltPage;
  let wasm: Awaited<ReturnType<typeof learnOn>>;

  beforeAll(async () => {
    browser = await launchChromium({ webgpu: true });
    built = await buildRuntimePage();
    site = await serve({ ...built.routes, '/engine': ASSETS });
    home = await HomePage.open(browser, site);
    wasm = await learnOn('wasm');
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  /** Learns two kinds and asks about one, on a device. */
  async function learnOn(device: 'webgpu' | 'wasm', workerUrl?: string, backbone = TINY) {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const answer = await open.page.evaluate(
      async ({ device, backbone, workerUrl }) => {
        const classifier = await openClassifier({ device, backbone, ...(workerUrl && { workerUrl }) });
        await classifier.addClass('discs', pictures(0, 3));
        await classifier.addClass('stripes', pictures(1, 3));
        const prediction = await classifier.classify(pictures(0, 1, 5)[0]);
        const snapshot = Array.from(await classifier.snapshot());
        const told = classifier.device;
        await classifier.dispose();
        return { prediction, snapshot, told };
      },
      { device, backbone, workerUrl },
    );
    expect(open.complaints).toEqual([]);
    expect(open.strangers()).toEqual([]);
    const { content } = decodeSnapshot(new Uint8Array(answer.snapshot));
    return { ...answer, content, requests: open.requests.map((url) => new URL(url).pathname) };
  }

  /** Codes may fall on the other side of a rounding: by one step, and seldom. */
  function expectSameContent(a: Awaited<ReturnType<typeof learnOn>>, b: Awaited<ReturnType<typeof learnOn>>): void {
    if (!('view' in a.content) || !('view' in b.content)) throw new Error('Expected two contents with views.');
    const [left, right] = [a.content.view(), b.content.view()] as { codes: Int8Array; ids: readonly string[] }[];
    expect(left.ids).toEqual(right.ids);
    const steps = Array.from(left.codes, (code, i) => Math.abs(code - right.codes[i]));
    expect(Math.max(...steps)).toBeLessThanOrEqual(1);
    expect(steps.filter((step) => step > 0).length / steps.length).toBeLessThan(0.02);
    expect(a.prediction.label).toBe(b.prediction.label);
    expect(a.prediction.confidence).toBeCloseTo(b.prediction.confidence, 1);
  }

  it('learns and answers on WebGPU as on WASM, and loads the engine it needs and no other', async () => {
    expect(wasm.told).toEqual({ device: 'wasm', numThreads: 1, inWords: 'wasm, 1 thread' });
    expect(wasm.requests.filter((url) => /jspi|asyncify|webgpu/.test(url))).toEqual([]);
    const webgpu = await learnOn('webgpu');
    expect(webgpu.told).toEqual({ device: 'webgpu', numThreads: 1, inWords: 'webgpu' });
    expect(webgpu.requests.filter((url) => /asyncify|threaded-|threaded\.wasm|ort\.wasm/.test(url))).toEqual([]);
    expectSameContent(webgpu, wasm);
  });

  it('does so in a browser without promise integration too', async () => {
    const script = `delete WebAssembly.Suspending;\nimport('/engine/worker.js');`;
    site.routes.set('/older.js', () => ({ body: script }));
    const webgpu = await learnOn('webgpu', '/older.js');
    expect(webgpu.requests.filter((url) => url.includes('asyncify'))).toHaveLength(2);
    expectSameContent(webgpu, wasm);
  });

  it('reads taps that are several tensors from WebGPU as from WASM', async () => {
    const folder = path.join(root, 'test/fixtures/tiny-backbone');
    const { canary: _, ...manifest } = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8'));
    const taps = [
      { name: 'first', tensor: 'block1.residual2', pooling: 'mean', prefixTokens: 1 },
      { name: 'last', tensor: 'last_hidden_state', pooling: 'cls' },
    ];
    site.routes.set('/several/manifest.json', () => ({
      body: JSON.stringify({ ...manifest, output: { taps, dim: 16 } }),
    }));
    site.routes.set('/several/model.onnx', () => ({ body: readFileSync(path.join(folder, 'model.onnx')) }));
    const [webgpu, onWasm] = [
      await learnOn('webgpu', undefined, '/several/manifest.json'),
      await learnOn('wasm', undefined, '/several/manifest.json'),
    ];
    expect(webgpu.told.inWords).toBe('webgpu');
    expectSameContent(webgpu, onWasm);
  });

  it('learns many pictures at once on WebGPU as one by one, in both builds, and after streams that ended early', async () => {
    // Counts what is submitted to the GPU while an answer is read back.
    const counting = `
let [reads, beside] = [0, 0];
const { mapAsync } = GPUBuffer.prototype;
GPUBuffer.prototype.mapAsync = function (...range) {
  reads++;
  return mapAsync.apply(this, range).finally(() => reads--);
};
const { submit } = GPUQueue.prototype;
GPUQueue.prototype.submit = function (commands) {
  if (reads > 0) beside++;
  submit.call(this, commands);
};
const counted = new BroadcastChannel('beside');
counted.onmessage = () => counted.postMessage(beside);
import('/engine/worker.js');`;
    site.routes.set('/counting.js', () => ({ body: counting }));
    site.routes.set('/older-counting.js', () => ({ body: `delete WebAssembly.Suspending;${counting}` }));
    await using open = await openPage(browser, `${site.origin}/`, { home });
    for (const workerUrl of ['/counting.js', '/older-counting.js']) {
      const { hashes, beside, ...told } = await open.page.evaluate(
        async ({ backbone, workerUrl }) => {
          const classifier = await openClassifier({ device: 'webgpu', backbone, workerUrl });
          const discs = pictures(0, 5);
          const counted = new BroadcastChannel('beside');
          const [hashes, beside]: [string[], number[]] = [[], []];
          const learned = async () => {
            counted.postMessage('now');
            beside.push(await new Promise<number>((resolve) => (counted.onmessage = ({ data }) => resolve(data))));
            hashes.push(await classifier.hash());
            await classifier.removeClass('discs');
          };
          await classifier.addClass('discs', discs.slice(0, 1));
          for (const disc of discs.slice(1)) await classifier.addExamples('discs', [disc]);
          await learned();
          await classifier.addClass('discs', discs);
          await learned();
          const controller = new AbortController();
          const onProgress = () => controller.abort();
          const aborted = await failure(classifier.addClass('discs', discs, { signal: controller.signal, onProgress }));
          const notAPicture = new Blob(['none'], { type: 'image/png' });
          const unreadable = await failure(classifier.addClass('discs', [discs[0], notAPicture, ...discs.slice(1)]));
          await classifier.addClass('discs', discs);
          const confidences = async (inputs: ImageData[]) => {
            const all = [];
            for await (const item of classifier.classifyMany(inputs)) all.push('error' in item ? -1 : item.prediction);
            return JSON.stringify(all);
          };
          await classifier.addClass('stripes', pictures(1, 3));
          const many = await confidences(discs);
          const single = [];
          for (const disc of discs) single.push(...JSON.parse(await confidences([disc])));
          const isSame = many === JSON.stringify(single);
          await classifier.removeClass('stripes');
          await learned();
          const device = classifier.device.inWords;
          // Two pictures and more are on the GPU when it is asked to let go.
          const adding = failure(classifier.addClass('late', pictures(4, 5)));
          await classifier.dispose();
          counted.close();
          return { hashes, beside, aborted, unreadable, isSame, device, late: await adding };
        },
        { backbone: TINY, workerUrl },
      );
      expect(new Set(hashes).size).toBe(1);
      expect(hashes).toHaveLength(3);
      expect(beside[0]).toBe(0);
      expect(beside[1]).toBeGreaterThan(0);
      expect(told).toEqual({
        aborted: expect.stringMatching(/^AbortError/),
        unreadable: expect.stringMatching(/^IMAGE_/),
        isSame: true,
        device: 'webgpu',
        late: expect.stringMatching(/^DISPOSED/),
      });
    }
    expect(open.complaints).toEqual([]);
  });

  it('goes on with WASM when the GPU is lost in the middle, says so, and loses nothing', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const before = await open.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ device: 'webgpu', backbone });
      await classifier.addClass('discs', pictures(0, 6));
      await classifier.addClass('stripes', pictures(1, 6));
      return { hash: await classifier.hash(), label: (await classifier.classify(pictures(1, 1, 5)[0])).label };
    }, TINY);
    const adding = open.page.evaluate(async () => {
      async function* slowly() {
        for (const picture of pictures(4, 8)) {
          yield picture;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
      return globalThis.classifier.addClass('later', slowly());
    });
    const session = await browser.newBrowserCDPSession();
    await session.send('Browser.crashGpuProcess' as never);
    expect(await adding).toMatchObject({ added: 8 });
    const after = await open.page.evaluate(async () => {
      const { classifier, notices } = globalThis;
      const label = (await classifier.classify(pictures(1, 1, 5)[0])).label;
      await classifier.removeClass('later');
      return { hash: await classifier.hash(), label, device: classifier.device, notices };
    });
    expect(after.device).toEqual({
      device: 'wasm',
      numThreads: 1,
      inWords: 'wasm, 1 thread (webgpu: the GPU was lost)',
    });
    expect(after.notices).toEqual([
      {
        kind: 'device',
        message: 'WebGPU gave up: the GPU was lost. The classifier goes on with wasm, 1 thread; nothing was lost.',
      },
    ]);
    expect({ hash: after.hash, label: after.label }).toEqual(before);
  });

  it('goes on with WASM when the GPU has no memory left, in the middle or at the start, and says so', async () => {
    // From `starve` on, every buffer is asked for at the largest size there is, which SwiftShader does not have.
    const script = `
let isStarved = new URL(location).searchParams.has('starved');
const starve = new BroadcastChannel('starve');
starve.onmessage = () => starve.postMessage((isStarved = true));
const { createBuffer } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (wanted) {
  const starves = isStarved && !wanted.mappedAtCreation;
  return createBuffer.call(this, starves ? { ...wanted, size: this.limits.maxBufferSize } : wanted);
};
Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });
import('/engine/worker.js');`;
    site.routes.set('/starved.js', () => ({ body: script }));
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const answers = await open.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ device: 'auto', backbone, workerUrl: '/starved.js' });
      const taken = classifier.device.inWords;
      await classifier.addClass('discs', pictures(0, 6));
      await classifier.addClass('stripes', pictures(1, 6));
      const ask = async () => (await classifier.classify(pictures(1, 1, 5)[0])).ranking.map(({ label }) => label);
      const before = await ask();
      const hash = await classifier.hash();
      const starve = new BroadcastChannel('starve');
      const stripes = pictures(1, 6, 7);
      const mixed = pictures(0, 6, 7).flatMap((disc, i) => [disc, stripes[i]]);
      const stream: string[] = [];
      for await (const item of classifier.classifyMany(mixed)) {
        stream.push('error' in item ? item.error.message : `${item.index} ${item.prediction.ranking[0].label}`);
        if (stream.length !== 2) continue;
        starve.postMessage('now');
        await new Promise((resolve) => (starve.onmessage = resolve));
      }
      const after = await ask();
      const { inWords } = classifier.device;
      const isSame = hash === (await classifier.hash());
      const late = await openClassifier({ device: 'auto', backbone, workerUrl: '/starved.js?starved' });
      return { taken, before, stream, after, inWords, isSame, late: late.device.inWords, notices };
    }, TINY);
    expect(answers).toEqual({
      taken: 'webgpu',
      before: ['stripes', 'discs'],
      stream: Array.from({ length: 12 }, (_, i) => `${i} ${i % 2 === 0 ? 'discs' : 'stripes'}`),
      after: ['stripes', 'discs'],
      inWords: 'wasm, 1 thread (webgpu: out of memory)',
      isSame: true,
      // Its first buffers failed before anything could listen; what came of them is told.
      late: expect.stringMatching(/^wasm, 1 thread \(webgpu: (out of memory|a GPU error \(.*[Ii]nvalid)/),
      notices: [
        {
          kind: 'device',
          message: 'WebGPU gave up: out of memory. The classifier goes on with wasm, 1 thread; nothing was lost.',
        },
      ],
    });
  });

  it('leaves a software adapter to those who name it, and says why WebGPU was not taken', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const words = await open.page.evaluate(
      async (backbone) => (await openClassifier({ backbone })).device.inWords,
      TINY,
    );
    expect(words).toBe('wasm, 1 thread (webgpu: only a software adapter)');
    const plain = await launchChromium();
    try {
      await using without = await openPage(plain, `${site.origin}/`);
      const failed = await without.page.evaluate(
        (backbone) => failure(openClassifier({ device: 'webgpu', backbone })),
        TINY,
      );
      expect(failed).toMatch(/^DEVICE_UNAVAILABLE: Expected webgpu to be available, got: no adapter\./);
      const words = await without.page.evaluate(
        async (backbone) => (await openClassifier({ backbone })).device.inWords,
        TINY,
      );
      expect(words).toBe('wasm, 1 thread (webgpu: no adapter)');
    } finally {
      await plain.close();
    }
  });

  it('refuses a device whose answer to the canary is wrong', async () => {
    const manifest = JSON.parse(readFileSync(path.join(root, 'test/fixtures/tiny-backbone/manifest.json'), 'utf8'));
    manifest.canary.embedding = (manifest.canary.embedding as number[]).map((value, i) =>
      i % 3 === 0 ? -value : value,
    );
    manifest.file = '../fixtures/tiny-backbone/model.onnx';
    const model = readFileSync(path.join(root, 'test/fixtures/tiny-backbone/model.onnx'));
    site.routes.set('/wrong/manifest.json', () => ({ body: JSON.stringify({ ...manifest, file: 'model.onnx' }) }));
    site.routes.set('/wrong/model.onnx', () => ({ body: model }));
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const failed = await open.page.evaluate(() => failure(openClassifier({ backbone: '/wrong/manifest.json' })));
    expect(failed).toMatch(
      /^DEVICE_INACCURATE: Expected wasm to answer tiny-backbone's canary picture with a cosine of at least 0\.99, got -?0\.\d+/,
    );
  });

  it('has threads where the page is isolated', async () => {
    site.headers = { ...ISOLATED };
    try {
      await using open = await openPage(browser, `${site.origin}/`, { home });
      const told = await open.page.evaluate(
        async (backbone) => (await openClassifier({ device: 'wasm', numThreads: 2, backbone })).device,
        TINY,
      );
      expect(told).toEqual({ device: 'wasm', numThreads: 2, inWords: 'wasm, 2 threads' });
      expect(open.complaints).toEqual([]);
    } finally {
      site.headers = {};
    }
  });

  it('sums integer products exactly: the same bits from WASM, from WebGPU, and from adding up', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const sums = await open.page.evaluate(async () => {
      const [rows, width] = [1024, 24];
      let state = 1;
      const codes = Float32Array.from({ length: rows * width }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return (state >>> 24) - 128 || 127;
      });
      // Every entry of the first column at its largest: sums up to 1,024 x 127 x 127, next to 2^24.
      for (let i = 0; i < rows; i++) codes[i * width] = 127;
      const naive = new Float32Array(width * width);
      for (let i = 0; i < width; i++)
        for (let j = 0; j < width; j++) {
          let sum = 0;
          for (let row = 0; row < rows; row++) sum += codes[row * width + i] * codes[row * width + j];
          naive[i * width + j] = sum;
        }
      const urls = (script: string, part: string) => ({
        script: `/engine/${script}.min.mjs`,
        glue: `/engine/ort-wasm-simd-threaded${part}.mjs`,
        wasm: `/engine/ort-wasm-simd-threaded${part}.wasm.gz`,
      });
      const absolute = (files: Record<string, string>) =>
        Object.fromEntries(
          Object.entries(files).map(([key, file]) => [key, new URL(file, location.href).href]),
        ) as never;
      const wasm = await inside.wasmGemm.f32(codes, codes, { m: width, n: width, k: rows, transposeA: true });
      const gpu = await inside.loadEngine('jspi', absolute(urls('ort.jspi', '.jspi')), 1);
      const session = await gpu.ort.InferenceSession.create(inside.matmulGraph({ type: 'f32', transposeA: true }), {
        executionProviders: ['webgpu'],
      });
      const tensor = () => new gpu.ort.Tensor('float32', codes, [rows, width]);
      const { c } = await session.run({ a: tensor(), b: tensor() });
      return { naive: Array.from(naive), wasm: Array.from(wasm), webgpu: Array.from(c.data as Float32Array) };
    });
    expect(sums.naive[0]).toBe(1024 * 127 * 127);
    expect(sums.wasm).toEqual(sums.naive);
    expect(sums.webgpu).toEqual(sums.naive);
  });
});
