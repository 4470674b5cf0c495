/** A page that classifies all day: five thousand calls leave no memory behind, on the page or in the worker. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { ISOLATED, serve, type Site } from './serve.ts';

declare global {
  interface Performance {
    /** Bytes of the page and its workers, after garbage was collected. */
    measureUserAgentSpecificMemory(): Promise<{ readonly bytes: number }>;
  }
}

describeInBrowser('memory of a classifier on a page', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium({ args: ['--enable-blink-features=ForceEagerMeasureMemory'] });
    built = await buildRuntimePage();
    // Chromium measures pages only that are isolated.
    site = await serve(built.routes, { headers: ISOLATED });
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  it('does not grow over 5,000 calls, with pixels, files and bitmaps', { timeout: 240_000 }, async () => {
    await using open = await openPage(browser, `${site.origin}/`);
    const measured = await open.page.evaluate(async () => {
      const backbone = '/fixtures/tiny-backbone/manifest.json';
      const classifier = await openClassifier({ backbone, device: 'wasm', numThreads: 1 });
      await classifier.addClass('discs', pictures(0, 5));
      await classifier.addClass('stripes', pictures(1, 5));
      const [pixels] = pictures(0, 1, 4);
      const canvas = new OffscreenCanvas(pixels.width, pixels.height);
      canvas.getContext('2d')!.putImageData(pixels, 0, 0);
      const inputs = [pixels, await canvas.convertToBlob(), await createImageBitmap(pixels)];
      const ask = async (calls: number) => {
        for (let i = 0; i < calls; i += 20) {
          await Promise.all(Array.from({ length: 20 }, (_, j) => classifier.classify(inputs[(i + j) % inputs.length])));
        }
        return (await performance.measureUserAgentSpecificMemory()).bytes;
      };
      return { before: await ask(1000), after: await ask(5000) };
    });
    // 50 bytes a call: less than any object that could be left behind.
    expect(measured.after - measured.before).toBeLessThan(250_000);
    expect(open.complaints).toEqual([]);
  });
});
