/** @imprint/web/react in Chromium: the hooks under StrictMode, and the example as its reader runs it. */

import path from 'node:path';
import type { Prediction, WebClassifier } from '@imprint/web';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildApp, buildPage, root, type BuiltPage } from './build-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { drawnPictures } from './drawn-pictures.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

const TINY = '/fixtures/tiny-backbone/manifest.json';

/** A page whose tests mount and unmount a component, and read what it rendered last. */
const HOOKS_PAGE = `
import { useClassifier, usePrediction } from '@imprint/web/react';
import { createElement, StrictMode, useRef } from 'react';
import { createRoot } from 'react-dom/client';

let root;
globalThis.rendered = [];

function Used(options) {
  const used = useClassifier(options);
  globalThis.used = used;
  rendered.push(used.status);
  return createElement('p', { id: 'status' }, used.error?.message ?? used.status, ' ', used.classes.map((c) => c.label + c.count).join());
}

function Watching({ stream, ...options }) {
  const { classifier } = useClassifier(options);
  const video = useRef(null);
  globalThis.watched = usePrediction(classifier, video, { fps: 20, nearest: 0 });
  globalThis.used = { classifier };
  globalThis.video = video.current;
  return createElement('video', { ref: video, muted: true, autoPlay: true });
}

globalThis.mount = (options, component = 'Used') => {
  root ??= createRoot(document.querySelector('#app'));
  root.render(createElement(StrictMode, null, createElement({ Used, Watching }[component], options)));
};
globalThis.unmount = () => { root.unmount(); root = undefined; };
`;

interface HooksPage {
  mount(options: object, component?: string): void;
  unmount(): void;
  rendered: string[];
  used: { status: string; classifier?: WebClassifier; notices: readonly unknown[] };
  watched: { prediction?: Prediction; error?: Error };
  video: HTMLVideoElement | null;
}

/** The page's global scope, inside `evaluate`. */
declare const self: HooksPage;

describeInBrowser('@imprint/web/react', () => {
  let browser: Browser;
  let site: Site;
  let home: HomePage;
  let example: Site;
  const built: BuiltPage[] = [];

  beforeAll(async () => {
    browser = await launchChromium({ fakeCamera: true });
    built.push(await buildPage(HOOKS_PAGE, { body: '<div id="app"></div>' }));
    site = await serve(built[0].routes);
    built.push(await buildApp(path.join(root, 'packages/web/examples/react')));
    example = await serve(built[1].routes, { headers: { ...STRICT_CSP } });
    home = await HomePage.open(browser, site);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await example?.close();
    for (const page of built) page[Symbol.dispose]();
  });

  it('keeps one worker through StrictMode’s double mounting, and ends it after unmounting', async () => {
    await using open = await openPage(browser, site.origin, { home });
    const { page } = open;
    let started = 0;
    page.on('worker', () => started++);
    await page.evaluate((backbone) => self.mount({ backbone, device: 'wasm' }), TINY);
    expect(await page.evaluate(() => self.rendered.every((status) => status === 'loading'))).toBe(true);
    await page.waitForFunction(() => self.used?.status === 'ready');
    expect(started).toBe(1);
    expect(page.workers()).toHaveLength(1);
    await page.evaluate(() => self.unmount());
    await expect.poll(() => page.workers().length).toBe(0);
    await page.evaluate((backbone) => self.mount({ backbone, device: 'wasm' }), TINY);
    await page.waitForFunction(() => self.used?.status === 'ready');
    expect(started).toBe(2);
    expect(open.complaints).toEqual([]);
  });

  it('renders again when classes change, and not when options are equal by value', async () => {
    await using open = await openPage(browser, site.origin, { home });
    const { page } = open;
    await page.evaluate((backbone) => self.mount({ backbone, device: 'wasm' }), TINY);
    await page.waitForFunction(() => self.used?.status === 'ready');
    await page.evaluate(async () => {
      await self.used.classifier!.addClass('grey', [new ImageData(40, 40), new ImageData(36, 40)]);
    });
    await page.waitForFunction(() => document.querySelector('#status')?.textContent === 'ready grey2');
    const kept = await page.evaluate(async (backbone) => {
      const before = self.used.classifier;
      self.mount({ device: 'wasm', backbone, store: undefined });
      await new Promise((resolve) => setTimeout(resolve, 50));
      return self.used.classifier === before;
    }, TINY);
    expect(kept).toBe(true);
    await page.evaluate((backbone) => self.mount({ backbone, device: 'wasm', head: 'nearest-class-mean' }), TINY);
    await page.waitForFunction(() => document.querySelector('#status')?.textContent?.trim() === 'ready');
    await expect.poll(() => page.workers().length).toBe(1);
    expect(open.complaints).toEqual([]);
  });

  it('says in its state why there is no classifier', async () => {
    await using open = await openPage(browser, site.origin, { home });
    await open.page.evaluate(() => self.mount({ backbone: '/nothing/manifest.json', device: 'wasm' }));
    await open.page.waitForFunction(() => self.used?.status === 'error');
    expect(await open.page.textContent('#status')).toMatch(/manifest\.json/);
  });

  it('answers a video from the first class on', async () => {
    await using open = await openPage(browser, site.origin, { permissions: ['camera'] });
    const { page } = open;
    await page.evaluate((backbone) => self.mount({ backbone, device: 'wasm' }, 'Watching'), TINY);
    await page.waitForFunction(() => self.used?.classifier !== undefined && self.video);
    await page.evaluate(async () => {
      const { video } = self;
      const stream = await navigator.mediaDevices.getUserMedia({ video: true });
      // A frame's callback may come before the element has the frame.
      const loaded = new Promise((resolve) => video!.addEventListener('loadeddata', resolve, { once: true }));
      video!.srcObject = stream;
      await loaded;
      for (let count = 0; count < 3; count++) await self.used.classifier!.addExample('camera', video!);
    });
    await page.waitForFunction(() => self.watched.prediction !== undefined);
    expect(await page.evaluate(() => self.watched.prediction!.ranking[0].label)).toBe('camera');
    await page.evaluate(() => self.unmount());
    await expect.poll(() => page.workers().length).toBe(0);
    expect(open.complaints).toEqual([]);
  });

  it('has an example that learns files, answers, and still knows them after a reload, under a strict policy', async () => {
    await using open = await openPage(browser, example.origin);
    const { page } = open;
    const { disc, stripes, another } = await drawnPictures();
    await page.getByLabel('Class').fill('disc');
    await page.getByLabel('Learn').setInputFiles(disc);
    await page.getByText('disc: 3').waitFor();
    await page.getByLabel('Class').fill('stripes');
    await page.getByLabel('Learn').setInputFiles(stripes);
    await page.getByText('stripes: 3').waitFor();
    await page.reload();
    await page.getByText('disc: 3').waitFor();
    await page.getByLabel('What is this?').setInputFiles(another.disc);
    await page.locator('output').waitFor();
    expect(await page.locator('output').textContent()).toMatch(/^(disc|unknown) \(\d+ %\)$/);
    await page.getByRole('button', { name: 'Forget stripes' }).click();
    await page.getByText('stripes: 3').waitFor({ state: 'detached' });
    expect(open.complaints).toEqual([]);
    expect(open.strangers()).toEqual([]);
  });
});
