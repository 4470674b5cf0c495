/** @imprint/web/element in Chromium: attributes, events, life in a document, and the example with a fake camera. */

import path from 'node:path';
import type { ImprintClassifierElement } from '@imprint/web/element';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildApp, buildPage, root, type BuiltPage } from './build-page.ts';
import { drawnPictures } from './drawn-pictures.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

/** Two copies of the module, as two bundles on one page are; the classes `disc` and `stripes` taught from files. */
const ELEMENT_PAGE = `
import { ImprintClassifierElement } from '@imprint/web/element';
globalThis.heard = [];
globalThis.watchEvents = (element) => {
  for (const name of ['ready', 'change', 'prediction', 'notice', 'error'])
    element.addEventListener(name, ({ detail }) => heard.push({ name, label: detail.prediction?.ranking[0].label, message: detail.message }));
};
globalThis.make = (attributes, inside = '') => {
  const element = document.createElement('imprint-classifier');
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.innerHTML = inside;
  watchEvents(element);
  document.body.append(element);
};
globalThis.isDefined = customElements.get('imprint-classifier') === ImprintClassifierElement;
`;

interface Heard {
  readonly name: string;
  readonly label?: string;
  readonly message?: string;
}

interface ElementPage {
  heard: Heard[];
  isDefined: boolean;
  make(attributes: Record<string, string>, inside?: string): void;
}

/** The page's global scope, inside `evaluate`. */
declare const self: ElementPage;

const TINY = { backbone: '/fixtures/tiny-backbone/manifest.json', device: 'wasm' };

describeInBrowser('<imprint-classifier>', () => {
  let browser: Browser;
  let site: Site;
  let home: HomePage;
  let example: Site;
  const built: BuiltPage[] = [];

  beforeAll(async () => {
    browser = await launchChromium({ fakeCamera: true });
    const pictures = await drawnPictures();
    const files = [...pictures.disc, ...pictures.stripes, pictures.another.disc, pictures.another.stripes];
    built.push(await buildPage(ELEMENT_PAGE));
    site = await serve({
      ...built[0].routes,
      '/pictures': (_, url) => {
        const file = files.find(({ name }) => url.pathname === `/pictures/${name}`);
        return file && { body: file.buffer, headers: { 'content-type': 'image/png' } };
      },
    });
    built.push(await buildApp(path.join(root, 'packages/web/examples/element')));
    example = await serve(built[1].routes, { headers: { ...STRICT_CSP } });
    home = await HomePage.open(browser, site);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await example?.close();
    for (const page of built) page[Symbol.dispose]();
  });

  const imprint = (page: Page) => page.locator('imprint-classifier');
  const make = (page: Page, attributes: Record<string, string>, inside = '') =>
    page.evaluate(([attributes, inside]) => self.make(attributes, inside), [attributes, inside] as const);
  const heard = (page: Page) => page.evaluate(() => self.heard);
  const hears = (page: Page, name: string) =>
    page.waitForFunction((name) => self.heard.some((event) => event.name === name), name);

  it('is ready, learns, and answers the picture inside whenever it or the classes change', async () => {
    await using open = await openPage(browser, site.origin, { home });
    const { page } = open;
    expect(await page.evaluate(() => self.isDefined)).toBe(true);
    await make(page, TINY, '<img src="/pictures/disc-4.png" alt="">');
    await hears(page, 'ready');
    await imprint(page).evaluate(async (element: ImprintClassifierElement) => {
      const load = async (name: string) => (await fetch(`/pictures/${name}.png`)).blob();
      await element.classifier!.addClass('disc', [await load('disc-0'), await load('disc-1'), await load('disc-2')]);
    });
    await hears(page, 'prediction');
    await imprint(page).evaluate(async (element: ImprintClassifierElement) => {
      const load = async (name: string) => (await fetch(`/pictures/${name}.png`)).blob();
      await element.classifier!.addClass('stripes', [await load('stripes-0'), await load('stripes-1')]);
      element.querySelector('img')!.src = '/pictures/stripes-4.png';
    });
    await expect.poll(async () => (await heard(page)).at(-1)?.label).toBe('stripes');
    const names = (await heard(page)).map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['ready', 'change', 'prediction']);
    const state = await imprint(page).evaluate((element: ImprintClassifierElement) => [
      element.status,
      element.classes.map(({ label, count }) => `${label} ${count}`).join(', '),
      element.prediction?.prediction.ranking[0].label,
    ]);
    expect(state).toEqual(['ready', 'disc 3, stripes 2', 'stripes']);
    const report = await imprint(page).evaluate((element: ImprintClassifierElement) => element.addExample('stripes'));
    expect(report.added).toBe(1);
    expect(open.complaints).toEqual([]);
  });

  it('keeps its worker where it is moved, and ends it where it is removed', async () => {
    await using open = await openPage(browser, site.origin, { home });
    const { page } = open;
    let started = 0;
    page.on('worker', () => started++);
    await make(page, TINY);
    await hears(page, 'ready');
    await imprint(page).evaluate((element) => {
      const place = document.createElement('main');
      document.body.append(place);
      place.append(element);
    });
    expect(await imprint(page).evaluate((element: ImprintClassifierElement) => element.status)).toBe('ready');
    expect(started).toBe(1);
    await imprint(page).evaluate((element) => element.remove());
    await expect.poll(() => page.workers().length).toBe(0);
    expect(open.complaints).toEqual([]);
  });

  it('begins one classifier for all attributes changed in a turn', async () => {
    await using open = await openPage(browser, site.origin, { home });
    const { page } = open;
    let started = 0;
    page.on('worker', () => started++);
    await make(page, { ...TINY, backbone: '/nothing/manifest.json' });
    await hears(page, 'error');
    expect((await heard(page))[0].message).toMatch(/manifest\.json/);
    await imprint(page).evaluate((element: ImprintClassifierElement, { backbone }) => {
      element.backbone = backbone;
      element.store = 'pets';
      element.device = 'wasm';
    }, TINY);
    await hears(page, 'ready');
    const state = await imprint(page).evaluate((element: ImprintClassifierElement) => [
      element.status,
      element.error,
      element.store,
    ]);
    expect(state).toEqual(['ready', undefined, 'pets']);
    await expect.poll(() => page.workers().length).toBe(1);
    expect(started).toBe(2);
  });

  it('says what to do before it is ready, and without a picture', async () => {
    await using open = await openPage(browser, site.origin, { home });
    const { page } = open;
    const early = await page.evaluate((attributes) => {
      self.make(attributes);
      return document
        .querySelector('imprint-classifier')!
        .addExample('disc')
        .catch((error: Error) => error.message);
    }, TINY);
    expect(early).toMatch(/^Expected a classifier that is ready/);
    await hears(page, 'ready');
    const empty = await imprint(page).evaluate((element: ImprintClassifierElement) =>
      element.addExample('disc').catch((error: Error) => error.message),
    );
    expect(empty).toMatch(/^Expected a <video> or <img> inside <imprint-classifier>, got none/);
  });

  it('has an example that learns from a camera and answers it, under a strict policy', async () => {
    await using open = await openPage(browser, example.origin, { permissions: ['camera'] });
    const { page } = open;
    await page.getByText('Name what you hold up').waitFor();
    await page.getByLabel('Class').fill('dial');
    for (const count of [1, 2, 3]) {
      await page.getByRole('button', { name: 'This is one' }).click();
      await page.getByText(`dial: ${count}`).waitFor();
    }
    await page.locator('output', { hasText: /^(dial|unknown) \(\d+ %\)$/ }).waitFor();
    expect(open.complaints).toEqual([]);
    expect(open.strangers()).toEqual([]);
  });
});
