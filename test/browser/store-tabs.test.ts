/** Two real tabs on one store: no change of either is lost, and each sees the other's. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { BuiltPage } from './build-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage, type OpenPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, type Site } from './serve.ts';

/** For what another tab does when it is told. */
const SOON = { timeout: 20_000 };

describeInBrowser('two tabs on one store', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;
  let home: HomePage;
  const tabs: OpenPage[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve(built.routes);
    home = await HomePage.open(browser, site);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  afterEach(async () => {
    for (const tab of tabs.splice(0)) await tab[Symbol.asyncDispose]();
    await home?.clear();
  });

  async function tab(options: object = {}): Promise<Page> {
    const opened = await openPage(browser, `${site.origin}/`, { home, context: home.context });
    tabs.push(opened);
    const { page } = opened;
    await page.evaluate((options) => openClassifier(options).then(() => undefined), {
      backbone: '/fixtures/tiny-backbone/manifest.json',
      device: 'wasm' as const,
      store: 'shared',
      ...options,
    });
    return page;
  }

  const known = (page: Page) =>
    page.evaluate(async () => ({ hash: await globalThis.classifier.hash(), classes: globalThis.classifier.classes }));

  it.each(['examples', 'statistics'] as const)(
    'keep every change, where both add, add to one class, and take away, at once, memory %s',
    async (memory) => {
      const both = [await tab({ memory }), await tab({ memory })];
      await Promise.all(
        both.map((page, which) =>
          page.evaluate(
            async ([which, memory]) => {
              const { classifier } = globalThis;
              for (let i = 0; i < 4; i++) {
                await classifier.addClass(`${which}-${i}`, pictures(i, 2, which));
                await classifier.addExample('both', pictures(which, 1, 100 + i)[0]);
                if (i % 2 === 1) await classifier.forgetExamples(`${which}-${i}`, pictures(i, 2, which));
                else if (memory === 'examples') await classifier.renameClass(`${which}-${i}`, `kept ${which}-${i}`);
              }
            },
            [which, memory] as const,
          ),
        ),
      );
      const kept = memory === 'examples' ? 'kept ' : '';
      const classes = [0, 1].flatMap((which) => [0, 2].map((i) => ({ label: `${kept}${which}-${i}`, count: 2 })));
      const all = [...classes, { label: 'both', count: 8 }].sort((a, b) => (a.label < b.label ? -1 : 1));
      await expect.poll(async () => (await known(both[0])).classes, SOON).toEqual(all);
      await expect.poll(async () => (await known(both[1])).classes, SOON).toEqual(all);
      const third = await known(await tab());
      expect(third).toEqual(await known(both[0]));
      expect(third).toEqual(await known(both[1]));
      // What one tab that did it all by itself knows.
      const single = await tab({ memory, store: 'alone' });
      await single.evaluate(
        async ([kept]) => {
          const { classifier } = globalThis;
          for (const which of [0, 1]) {
            for (const i of [0, 2]) await classifier.addClass(`${kept}${which}-${i}`, pictures(i, 2, which));
            for (let i = 0; i < 4; i++) await classifier.addExample('both', pictures(which, 1, 100 + i)[0]);
          }
        },
        [kept] as const,
      );
      expect(await known(single)).toEqual(third);
    },
  );

  it('tell each other, and a verb in one runs on what the other has made', async () => {
    const [one, two] = [await tab(), await tab()];
    await two.evaluate(() => {
      Object.assign(globalThis, { changes: 0 });
      globalThis.classifier.onChange(() => (globalThis as unknown as { changes: number }).changes++);
    });
    await one.evaluate(() => globalThis.classifier.addClass('discs', pictures(0, 3)));
    // At once, whether or not the news has come.
    const added = await two.evaluate(async () => {
      const { classifier } = globalThis;
      const again = await failure(classifier.addClass('discs', pictures(0, 1, 3)));
      return { again, more: await classifier.addExamples('discs', pictures(0, 2, 4)) };
    });
    expect(added.again).toMatch(/^CLASS_EXISTS: /);
    expect(added.more.added).toBe(2);
    await expect.poll(() => one.evaluate(() => globalThis.classifier.numExamples), SOON).toBe(5);
    expect(await two.evaluate(() => (globalThis as unknown as { changes: number }).changes)).toBeGreaterThan(0);
    // The same class taken away by both at once: one does it, the other is told.
    const answers = await Promise.all(
      [one, two].map((page) => page.evaluate(() => failure(globalThis.classifier.removeClass('discs')))),
    );
    expect(answers.sort()).toEqual([expect.stringMatching(/^CLASS_NOT_FOUND: /), 'none']);
    await expect
      .poll(async () => [await known(one), await known(two)], SOON)
      .toEqual([
        { hash: expect.any(String), classes: [] },
        { hash: expect.any(String), classes: [] },
      ]);
  });

  it('keep their own changes where a file comes in at the same time', async () => {
    const [one, two] = [await tab(), await tab()];
    await one.evaluate(async () => {
      const { classifier } = globalThis;
      await classifier.addClass('from a file', pictures(2, 3));
      const file = await classifier.export();
      await classifier.removeClass('from a file');
      Object.assign(globalThis, { file });
    });
    await Promise.all([
      one.evaluate(() => globalThis.classifier.import((globalThis as unknown as { file: Blob }).file, { merge: true })),
      two.evaluate(() => globalThis.classifier.addClass('by hand', pictures(1, 3))),
    ]);
    for (const page of [one, two]) {
      await expect
        .poll(async () => (await known(page)).classes.map(({ label }) => label), SOON)
        .toEqual(['by hand', 'from a file']);
    }
  });

  it('wait for a tab that keeps the store, and say so where it never lets go', async () => {
    const [one, two] = [await tab(), await tab()];
    await one.evaluate(() => {
      void navigator.locks.request(
        'imprint opfs:shared',
        () => new Promise((resolve) => Object.assign(globalThis, { letGo: resolve })),
      );
    });
    await two.evaluate(async () => {
      await globalThis.classifier.addClass('discs', pictures(0, 3));
      Object.assign(globalThis, { failed: await failure(globalThis.classifier.flush()) });
    });
    expect(await two.evaluate(() => (globalThis as unknown as { failed: string }).failed)).toMatch(
      /^FILE_BUSY: .*another tab/,
    );
    await one.evaluate(() => (globalThis as unknown as { letGo(): void }).letGo());
    await two.evaluate(() => globalThis.classifier.flush());
    expect((await known(await tab())).classes).toEqual([{ label: 'discs', count: 3 }]);
  }, 120_000);
});
