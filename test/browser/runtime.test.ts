/** The classifier on a page: learns, classifies and refuses in a real Chromium, with everything but pixels in a worker. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPage, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

describeInBrowser('the classifier on a page', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildPage();
    site = await serve(built.routes, { headers: STRICT_CSP });
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  it('learns two classes, knows them, refuses a stranger, under the strictest policy and without one foreign request', async () => {
    await using open = await openPage(browser, `${site.origin}/`);
    const answers = await open.page.evaluate(async () => {
      const drawn = (colour: string, shift: number): Promise<Blob> => {
        const canvas = new OffscreenCanvas(120, 100);
        const context = canvas.getContext('2d')!;
        context.fillStyle = colour;
        context.fillRect(0, 0, 120, 100);
        context.fillStyle = 'white';
        context.fillRect(20 + shift, 30, 40, 40 + shift);
        return canvas.convertToBlob();
      };
      const many = (colour: string) => Promise.all([0, 3, 6, 9].map((shift) => drawn(colour, shift)));
      const classifier = await globalThis.imprint.createClassifier();
      const added = await classifier.addClass('red', await many('red'));
      await classifier.addClass('blue', await many('blue'));
      const prediction = await classifier.classify(await drawn('red', 5));
      const { classes, device } = classifier;
      await classifier.dispose();
      return { added, prediction, classes, device };
    });
    expect(answers.added).toEqual({ added: 4, duplicates: 0, unreadable: [] });
    expect(answers.prediction.ranking[0].label).toBe('red');
    expect(answers.classes).toEqual([
      { label: 'blue', count: 4 },
      { label: 'red', count: 4 },
    ]);
    expect(answers.device.inWords).toMatch(/^wasm, 1 thread \(webgpu: /);
    expect(open.complaints).toEqual([]);
    expect(open.strangers()).toEqual([]);
  });
});
