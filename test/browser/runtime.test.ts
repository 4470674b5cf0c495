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

  it('takes the pictures of a frame, whose classes are its own', async () => {
    await using open = await openPage(browser, `${site.origin}/`);
    const answers = await open.page.evaluate(async () => {
      const frame = document.body.appendChild(document.createElement('iframe'));
      const there = frame.contentWindow as Window & typeof globalThis;
      const canvas = there.document.createElement('canvas');
      canvas.width = canvas.height = 60;
      const context = canvas.getContext('2d')!;
      context.fillStyle = 'teal';
      context.fillRect(0, 0, 60, 60);
      const blob = await new Promise<Blob>((resolve) => canvas.toBlob((made) => resolve(made!)));
      const bytes = new Uint8Array(await blob.arrayBuffer());
      const foreign = new there.Uint8Array(bytes);
      const pictures = {
        bytes: foreign,
        buffer: foreign.buffer,
        blob: new there.Blob([bytes]),
        file: new there.File([bytes], 'teal.png'),
        canvas,
        pixels: context.getImageData(0, 0, 60, 60),
        bitmap: await there.createImageBitmap(canvas),
      };
      const classifier = await globalThis.imprint.createClassifier();
      await classifier.addClass('teal', [blob]);
      const found: Record<string, [boolean, number | string]> = {};
      for (const [kind, picture] of Object.entries(pictures)) {
        const { ranking } = await classifier.classify(picture);
        found[kind] = [picture instanceof globalThis[picture.constructor.name as 'Blob'], ranking[0].label];
      }
      await classifier.dispose();
      return found;
    });
    const kinds = ['bytes', 'buffer', 'blob', 'file', 'canvas', 'pixels', 'bitmap'];
    expect(answers).toEqual(Object.fromEntries(kinds.map((kind) => [kind, [false, 'teal']])));
    expect(open.complaints).toEqual([]);
  });
});
