/** What an app's author may pass by mistake: a stated error for that call alone, and a classifier that goes on. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, type Site } from './serve.ts';

const TINY = '/fixtures/tiny-backbone/manifest.json';

describeInBrowser("an app's mistakes", () => {
  let browser: Browser;
  let site: Site;
  let elsewhere: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve(built.routes);
    elsewhere = await serve({
      '/photo.svg': () => ({
        body: '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="40"><circle r="30" fill="red"/></svg>',
        headers: { 'content-type': 'image/svg+xml' },
      }),
    });
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await elsewhere?.close();
    built?.[Symbol.dispose]();
  });

  async function open() {
    const tab = await openPage(browser, `${site.origin}/`);
    await tab.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ backbone, device: 'wasm' });
      await classifier.addClass('discs', pictures(0, 4));
      await classifier.addClass('stripes', pictures(1, 4));
    }, TINY);
    return tab;
  }

  it('pictures that the page may not read, or has moved away, are unreadable, and no stream ends with them', async () => {
    await using tab = await open();
    const found = await tab.page.evaluate(async (foreign) => {
      const good = pictures(1, 1, 7)[0];
      const image = new Image();
      image.src = foreign;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: 48, height: 40 });
      canvas.getContext('2d')!.drawImage(image, 0, 0);
      const frame = new VideoFrame(canvas.cloneNode() as HTMLCanvasElement, { timestamp: 0 });
      frame.close();
      const [moved] = pictures(1, 1, 8);
      structuredClone(moved.data.buffer, { transfer: [moved.data.buffer] });
      const bytes = new Uint8Array(20);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      const inputs = { image, canvas, bitmap: await createImageBitmap(image), frame, moved, bytes };
      const single: Record<string, string> = {};
      for (const [name, input] of Object.entries(inputs)) single[name] = await failure(classifier.classify(input));
      const streamed: string[] = [];
      for await (const result of classifier.classifyMany([...Object.values(inputs), good])) {
        streamed.push('error' in result ? result.error.code : 'read');
      }
      const report = await classifier.addExamples('stripes', [...Object.values(inputs), good], {
        onUnreadable: 'skip',
      });
      const judged = await classifier.evaluate(
        [...Object.values(inputs), good].map((input) => ({ label: 'stripes', input })),
        {
          onUnreadable: () => undefined,
        },
      );
      const { added, unreadable } = report;
      return { single, streamed, added, unreadable: unreadable.length, judged: judged.examples, notices };
    }, `${elsewhere.origin}/photo.svg`);
    const { image, canvas, bitmap, ...others } = found.single;
    for (const message of [image, canvas, bitmap]) {
      expect(message).toMatch(
        /^IMAGE_UNREADABLE: Expected a picture that this page may read, .* crossorigin="anonymous"/,
      );
    }
    for (const message of Object.values(others)) expect(message).toMatch(/^IMAGE_UNREADABLE: Expected a picture for /);
    expect(found.streamed).toEqual([...Array<string>(6).fill('IMAGE_UNREADABLE'), 'read']);
    expect(found).toMatchObject({ added: 1, unreadable: 6, judged: 1, notices: [] });
  });

  it('colours and numbers of other kinds are converted', async () => {
    await using tab = await open();
    const found = await tab.page.evaluate(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 48, height: 40 });
      const context = canvas.getContext('2d')!;
      context.putImageData(pictures(0, 1, 9)[0], 0, 0);
      const wide = context.getImageData(0, 0, 48, 40, { colorSpace: 'display-p3' });
      await classifier.addExamples('discs', [{ image: context.getImageData(0, 0, 48, 40), id: 'own' }]);
      const { nearest } = await classifier.classify(wide);
      return { id: nearest[0].id, similarity: nearest[0].similarity, space: wide.colorSpace };
    });
    expect(found).toMatchObject({ id: 'own', space: 'display-p3' });
    expect(found.similarity).toBeGreaterThan(0.999);
  });

  it('a picture that loads when it is seen is loaded for the question; a signal ends the wait for one that does not come', async () => {
    site.routes.set('/never.png', () => new Promise(() => undefined));
    await using tab = await open();
    const found = await tab.page.evaluate(async () => {
      const lazy = new Image();
      lazy.loading = 'lazy';
      const canvas = Object.assign(document.createElement('canvas'), { width: 48, height: 40 });
      canvas.getContext('2d')!.putImageData(pictures(1, 1, 3)[0], 0, 0);
      lazy.src = canvas.toDataURL();
      const { ranking } = await classifier.classify(lazy);
      const never = new Image();
      never.src = '/never.png';
      const why = await failure(classifier.classify(never, { signal: AbortSignal.timeout(200) }));
      return { label: ranking[0].label, why };
    });
    expect(found.label).toBe('stripes');
    expect(found.why).toMatch(/^TimeoutError: /);
  });

  it('options and files of the wrong kind are refused at once', async () => {
    await using tab = await open();
    const found = await tab.page.evaluate(async () => {
      const loose = classifier as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      const create = imprint.createClassifier as (options: unknown) => Promise<unknown>;
      const [picture] = pictures(0, 1);
      const after = async (calls: Record<string, () => Promise<unknown>>) => {
        const said: Record<string, string> = {};
        for (const [name, call] of Object.entries(calls)) said[name] = await failure((async () => call())());
        return said;
      };
      const said = await after({
        head: () => create({ head: () => 1 }),
        store: () => create({ store: 5 }),
        options: () => create(null),
        controller: () => create({ signal: new AbortController() }),
        worker: () => create({ workerUrl: 'https://example.com/worker.js' }),
        classify: () => loose.classify(picture, null),
        signal: () => loose.classify(picture, { signal: new AbortController() }),
        source: () => loose.classify({ image: picture, source: () => 'a' }),
        progress: () => loose.addClass('new', [picture], { onProgress: 5 }),
        label: () => loose.addClass(() => 'new', [picture]),
        ids: () => loose.removeExamples('discs', null),
        change: () => loose.onChange(5),
        text: () => loose.import('flowers.imprint'),
        nothing: () => loose.import(undefined),
        response: () => loose.import(new Response()),
      });
      const { held } = await navigator.locks.query();
      return { said, workers: held!.length, numExamples: classifier.numExamples };
    });
    for (const [name, message] of Object.entries(found.said))
      expect(`${name}: ${message}`).toMatch(/: INVALID_ARGUMENT: Expected /);
    expect(found).toMatchObject({ workers: 1, numExamples: 8 });
  });

  it('all that a page may ask for is there when the network goes', async () => {
    await using tab = await open();
    await expect
      .poll(() => site.served.some(({ url }) => url.includes('worker-seldom')), { timeout: 10_000 })
      .toBe(true);
    await tab.page.context().setOffline(true);
    const label = await tab.page.evaluate(async () => {
      await classifier.review();
      const { accuracy } = await classifier.evaluate(pictures(1, 2, 5).map((input) => ({ label: 'stripes', input })));
      return accuracy;
    });
    expect(label).toBe(1);
  });
});
