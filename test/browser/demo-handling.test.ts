/** The demo handled as a person does: dropped files, cards on cards, a held button, a long list, a change of mind. */

import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  ask,
  card,
  drawThings,
  learn,
  openDemo,
  pick,
  saved,
  serveDemo,
  shownClasses,
  temporary,
  verdict,
  writeClassFolders,
  type DemoSite,
} from './demo-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';

// A page, a model and an engine for every test, on a machine that runs other tests beside.
vi.setConfig({ testTimeout: 180_000 });
const PATIENT = { timeout: 60_000 };

/** Drops files or folders of the disk on an element, as the system's file browser does. */
async function dropFiles(page: Page, target: Locator, files: readonly string[]): Promise<void> {
  await target.scrollIntoViewIfNeeded();
  const box = (await target.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height / 2, 40)];
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...files], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x, y, data });
  }
  await session.detach();
}

describeInBrowser('the demo in a person’s hands', () => {
  let browser: Browser;
  let demo: DemoSite;
  let home: HomePage;
  let drawn: Awaited<ReturnType<typeof drawThings>>;
  let folder: string;

  beforeAll(async () => {
    [browser, demo, drawn] = await Promise.all([launchChromium({ fakeCamera: true }), serveDemo(), drawThings()]);
    home = await HomePage.open(browser, demo.site);
    folder = temporary('handling-');
    writeClassFolders(path.join(folder, 'things'), { ladder: drawn.ladder, sun: drawn.sun });
    for (const { name, buffer } of [drawn.another.sun, drawn.another.ladder]) {
      writeFileSync(path.join(folder, `new-${name}`), buffer);
    }
    writeFileSync(path.join(folder, 'notes.txt'), 'no picture');
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes what is dropped: a folder as classes, a picture as a question or an example, a file as what it knows', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await dropFiles(page, page.getByRole('main'), [path.join(folder, 'things')]);
    await page.getByText('16 pictures added to 2 classes.').waitFor();
    expect(await shownClasses(page)).toEqual({ ladder: 8, sun: 8 });

    await dropFiles(page, page.locator('.look'), [path.join(folder, 'new-ladder-3.png')]);
    await page.getByAltText('The picture asked about: new-ladder-3.png').waitFor();
    expect(await verdict(page)).toBe('ladder');

    await dropFiles(page, card(page, 'sun'), [path.join(folder, 'new-sun-3.png')]);
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 8, sun: 9 });

    // Loose pictures become a class that asks for its name.
    await dropFiles(page, page.locator('.card-new'), [path.join(folder, 'new-ladder-3.png')]);
    await page.getByLabel('New name for Class 1').fill('rungs');
    await page.keyboard.press('Enter');
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 8, rungs: 1, sun: 9 });

    await dropFiles(page, card(page, 'sun'), [path.join(folder, 'notes.txt')]);
    await page.getByRole('alert').getByText('There was no picture in that.', { exact: false }).waitFor();

    const file = path.join(folder, 'dropped.imprint');
    writeFileSync(file, await saved(page));
    await card(page, 'rungs').getByRole('button', { name: 'More for rungs' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 8, sun: 9 });
    await dropFiles(page, page.locator('.look'), [file]);
    await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 8, rungs: 1, sun: 9 });
    expect(open.complaints).toEqual([]);
  });

  it('merges a card that is dragged onto another, and keeps the focus on the page where a card goes', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await learn(page, { ladder: drawn.ladder.slice(0, 3), sun: drawn.sun.slice(0, 3) });
    await page.locator('[data-class="sun"] .card-head').dragTo(card(page, 'ladder'));
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 6 });
    await page.keyboard.press('Control+z');
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 3, sun: 3 });

    // A name that is taken is an offer to merge.
    await page.getByRole('button', { name: 'sun: rename' }).click();
    await page.getByLabel('New name for sun').fill('ladder');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('There is a class “ladder” already.').waitFor();
    await page.getByRole('button', { name: 'Merge them' }).click();
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 6 });
    await page.keyboard.press('Control+z');
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 3, sun: 3 });

    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.textContent);
    await page.getByRole('button', { name: 'More for sun' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Merge into' }).press('Enter');
    await page.getByRole('button', { name: 'Cancel' }).press('Enter');
    await expect.poll(focused).toBe('More for sun');

    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Take pictures out' }).press('Enter');
    await page.getByRole('button', { name: 'Take out sun, picture 2' }).press('Enter');
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 3, sun: 2 });
    await expect.poll(focused).toBe('Take out sun, picture 2');

    await page.getByRole('button', { name: 'More for sun' }).press('Enter');
    await page.getByRole('menuitem', { name: 'Delete' }).press('Enter');
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 3 });
    await expect.poll(focused).toBe('What it knows');
    expect(open.complaints).toEqual([]);
  });

  it('says how far it is while it reads many pictures, and stops when told to, with the classes that are complete', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    const many = Array.from({ length: 60 }, (_, i) => ({ ...drawn.sun[i % 8], name: `${i}.png` }));
    const parent = path.join(folder, 'many');
    // The same pixels under many names would be one picture: a byte after the end makes each a file of its own.
    const files = many.map((file, i) => ({ ...file, buffer: Buffer.concat([file.buffer, Buffer.from([i])]) }));
    writeClassFolders(parent, { first: drawn.ladder, second: files });
    await pick(page, page.getByRole('button', { name: 'a whole folder' }), parent);
    await page.getByText(/^second, \d+ of 68$/).waitFor();
    expect(await page.getByRole('progressbar', { name: 'Pictures learned' }).getAttribute('max')).toBe('68');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped: 8 pictures added to “first”.').waitFor();
    expect(await shownClasses(page)).toEqual({ first: 8 });
    expect(await page.getByRole('progressbar').count()).toBe(0);
    expect(open.complaints).toEqual([]);
  });

  it('shows what another tab changes, and undoes nothing that would lose it', async () => {
    const { context } = home;
    try {
      await using here = await openDemo(browser, demo, { home, context });
      await learn(here.page, { ladder: drawn.ladder.slice(0, 3), sun: drawn.sun.slice(0, 3) });
      await using there = await openDemo(browser, demo, { home, context });
      await there.page.getByRole('button', { name: 'More for sun' }).click();
      await there.page.getByRole('menuitem', { name: 'Delete' }).click();
      await expect.poll(() => shownClasses(here.page), PATIENT).toEqual({ ladder: 3 });
      await here.page.keyboard.press('Control+z');
      await here.page.getByRole('alert').getByText('changed in another tab').waitFor();
      expect(await shownClasses(here.page)).toEqual({ ladder: 3 });
      // The tab that changed it takes it back, and then the first one may.
      await there.page.keyboard.press('Control+z');
      await expect.poll(() => shownClasses(here.page), PATIENT).toEqual({ ladder: 3, sun: 3 });
      await here.page.keyboard.press('Control+z');
      await expect.poll(() => shownClasses(there.page), PATIENT).toEqual({});
      expect([...here.complaints, ...there.complaints]).toEqual([]);
    } finally {
      await home.clear();
    }
  });

  it('says why it cannot begin, and begins once the fault is gone', async () => {
    await using open = await openPage(browser, 'about:blank');
    const { page, context } = open;
    const asApp = { contentType: 'text/html', body: '<!doctype html><title>An app</title>' };
    await context.route('**/*.onnx', (route) => route.fulfill(asApp));
    await page.goto(`${demo.site.origin}/`);
    const alert = page.getByRole('alert').first();
    await alert.getByText('The model could not be loaded', { exact: false }).waitFor(PATIENT);
    await alert.getByText(/^Expected the backbone's model at .* got an HTML page/).waitFor();
    await page.getByText('No classifier').waitFor();
    await context.unroute('**/*.onnx');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(/^(WASM|WebGPU)/).waitFor(PATIENT);
    expect(await page.getByText('The model could not be loaded', { exact: false }).count()).toBe(0);
  });

  it('records while the pointer holds the button, and not a picture longer', async () => {
    await using open = await openDemo(browser, demo, { permissions: ['camera'] });
    const { page } = open;
    await page.getByRole('button', { name: 'Use the camera' }).click();
    await page.getByRole('button', { name: 'Hold to record Class 2' }).hover();
    await page.mouse.down();
    await card(page, 'Class 2').getByText('Recording 3').waitFor();
    await page.mouse.up();
    await page.getByText('recorded for “Class 2”').waitFor();
    const counts = await shownClasses(page);
    expect(counts['Class 2']).toBeGreaterThanOrEqual(3);
    // Two recording intervals later there is no further picture.
    await page.waitForTimeout(500);
    expect(await shownClasses(page)).toEqual(counts);
    expect(open.complaints).toEqual([]);
  });

  it.each([1280, 390])('holds twenty classes, and names longer than a card, at %i pixels', async (width) => {
    await using open = await openDemo(browser, demo, { home, viewport: { width, height: 844 } });
    const { page } = open;
    const labels = Array.from({ length: 18 }, (_, i) => `kind ${String(i + 1).padStart(2, '0')}`);
    const long = 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen';
    const longer = 'a name of many words that goes on for rather longer than any card is wide, as people do';
    const kinds = Object.fromEntries(labels.map((label, i) => [label, drawn.ladder.slice(i % 8, (i % 8) + 1)]));
    await learn(page, { ...kinds, [longer]: drawn.ladder.slice(0, 2), [long]: drawn.sun });
    expect(Object.keys(await shownClasses(page))).toHaveLength(20);
    // One row of pictures where there are many cards.
    expect(await card(page, long).locator('.thumbs li').count()).toBe(6);
    expect(await ask(page, drawn.another.sun)).toBe(long);
    const outside = await page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
        .map((element) => element.className.toString()),
    );
    expect(outside).toEqual([]);
    // A share stands on one line, beside a bar that can be seen.
    const shares = await page.locator('.bar-share').evaluateAll((all) => all.map((one) => one.clientHeight));
    expect(new Set(shares).size).toBe(1);
    const bars = await page.locator('.bar').evaluateAll((all) => all.map((one) => one.clientWidth));
    expect(Math.min(...bars)).toBeGreaterThan(80);
    expect(open.complaints).toEqual([]);
  });

  it('shares the file that it saves, where the browser has a share sheet, and shows no button where it has none', async () => {
    await using open = await openDemo(browser, demo, { home });
    const share = open.page.getByRole('button', { name: 'Share' });
    expect(await share.count()).toBe(0);

    // Chromium has no share sheet on Linux: this one keeps what it is given.
    const context = await browser.newContext();
    await context.addInitScript(() => {
      const shared = async ({ files }: ShareData) => {
        Object.assign(globalThis, { shared: Array.from(new Uint8Array(await files![0].arrayBuffer())) });
      };
      Object.assign(navigator, { canShare: () => true, share: shared });
    });
    try {
      await using other = await openPage(browser, `${demo.site.origin}/`, { context });
      const { page } = other;
      await page.getByRole('button', { name: 'Try a sample' }).click();
      await page.getByText('3 classes learned').waitFor(PATIENT);
      await page.getByRole('button', { name: 'Share' }).click();
      const shared = await page.waitForFunction(() => (globalThis as unknown as { shared?: number[] }).shared);
      expect(Buffer.from((await shared.jsonValue())!).equals(await saved(page))).toBe(true);
    } finally {
      await context.close();
    }
  });
});
