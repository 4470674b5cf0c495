/** Workers of the worker: they start with the first large solve and end with it all, change no answer, and may be forbidden. */

import path from 'node:path';
import { Classifier, readyEmbeddings } from '@imprint/core';
import { loadBackbone } from '@imprint/node';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

/** Enough examples for products that are shared, and few enough for some seconds of solving. */
const CLASSES = 24;
const SHOTS = 100;

/** A file of the small backbone's, with examples that no picture was looked at for. */
async function largeFile(): Promise<Uint8Array<ArrayBuffer>> {
  await using backbone = await loadBackbone(path.join(root, 'test/fixtures/tiny-backbone'), { device: 'cpu' });
  const { identity } = backbone;
  const width = identity.dim * identity.taps.length;
  let state = 1;
  const noise = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  const ready = readyEmbeddings({ name: identity.name, dim: identity.dim, taps: identity.taps });
  await using classifier = new Classifier({ ...ready, identity });
  for (let c = 0; c < CLASSES; c++) {
    const centre = Array.from({ length: width }, noise);
    const example = () => ({ embedding: Float32Array.from(centre, (x) => x + 0.8 * noise()) });
    await classifier.addClass(`class ${c}`, Array.from({ length: SHOTS }, example));
  }
  return classifier.snapshot();
}

describeInBrowser('a classifier with helpers', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve({ ...built.routes, '/engine': path.join(root, 'packages/web/dist/assets') });
    const file = await largeFile();
    site.routes.set('/large.imprint', () => ({ body: file }));
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  /** Opens the file, asks, changes a class and asks again; counts the workers that live then, and after the classifier's end. */
  async function answers(numThreads: number) {
    site.headers = STRICT_CSP;
    await using open = await openPage(browser, `${site.origin}/`);
    const found = await open.page.evaluate(async (numThreads) => {
      const workers = async () =>
        (await navigator.locks.query()).held!.filter(({ name }) => name!.startsWith('imprint-worker-')).length;
      const backbone = '/fixtures/tiny-backbone/manifest.json';
      const classifier = await openClassifier({ backbone, device: 'wasm', numThreads });
      await classifier.import(await (await fetch('/large.imprint')).blob());
      const small = await workers();
      const [picture] = pictures(0, 1, 3);
      const first = await classifier.classify(picture);
      await classifier.addClass('discs', pictures(0, 100));
      const second = await classifier.classify(picture);
      const large = await workers();
      await classifier.dispose();
      for (let wait = 0; wait < 100 && (await workers()) > 0; wait++) await new Promise((r) => setTimeout(r, 50));
      return { first, second, small, large, left: await workers(), notices };
    }, numThreads);
    return { ...found, complaints: open.complaints };
  }

  it('starts them under the strictest policy, answers the same, and ends them', async () => {
    const helped = await answers(3);
    expect(helped).toMatchObject({ small: 1, large: 3, left: 0, notices: [], complaints: [] });
    const alone = await answers(1);
    expect(alone).toMatchObject({ small: 1, large: 1, left: 0, notices: [], complaints: [] });
    expect(helped.first).toEqual(alone.first);
    expect(helped.second).toEqual(alone.second);
    expect(helped.second.label).toBe('discs');
  });

  /** Opens the file with another worker script, asks once, and counts the workers that live then. */
  async function answerWith(workerUrl: string) {
    site.headers = {};
    await using open = await openPage(browser, `${site.origin}/`);
    return await open.page.evaluate(async (workerUrl) => {
      const backbone = '/fixtures/tiny-backbone/manifest.json';
      const classifier = await openClassifier({ backbone, device: 'wasm', numThreads: 2, workerUrl });
      await classifier.import(await (await fetch('/large.imprint')).blob());
      const [picture] = pictures(0, 1, 3);
      const { ranking } = await classifier.classify(picture);
      const { held } = await navigator.locks.query();
      await classifier.dispose();
      return { label: ranking[0].label, workers: held!.length, notices };
    }, workerUrl);
  }

  it('answers where none can be started', async () => {
    // The worker's own policy, which it has from its script's answer, lets it start no other.
    const policy = "default-src 'self' 'wasm-unsafe-eval'; worker-src 'none'";
    const headers = { 'content-type': 'text/javascript', 'content-security-policy': policy };
    site.routes.set('/lonely.js', () => ({ body: `import('/engine/worker.js');`, headers }));
    expect(await answerWith('/lonely.js')).toEqual({
      label: expect.stringMatching(/^class /),
      workers: 1,
      notices: [],
    });
  });

  it('answers where one ends without a word in the middle of its work', async () => {
    const script = `import('/engine/worker.js').then(() => {
  if (name === 'imprint-helper') addEventListener('message', ({ data }) => data.kind && close());
});`;
    site.routes.set('/dying.js', () => ({ body: script }));
    expect(await answerWith('/dying.js')).toEqual({ label: expect.stringMatching(/^class /), workers: 1, notices: [] });
  });
});
