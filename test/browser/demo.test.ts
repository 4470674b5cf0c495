/** The demo as a person uses it: learn, ask, change one's mind, save, open, all by what the page shows. */

import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openClassifier } from '@imprint/node';
import type { Browser } from 'playwright-core';
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
} from './demo-page.ts';
import type { DemoSite } from './demo-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';

// A page, a model and an engine for every test, on a machine that runs other tests beside.
vi.setConfig({ testTimeout: 180_000 });
const PATIENT = { timeout: 60_000 };

describeInBrowser('the demo', () => {
  let browser: Browser;
  let demo: DemoSite;
  let home: HomePage;
  let drawn: Awaited<ReturnType<typeof drawThings>>;

  beforeAll(async () => {
    [browser, demo, drawn] = await Promise.all([launchChromium({ fakeCamera: true }), serveDemo(), drawThings()]);
    home = await HomePage.open(browser, demo.site);
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  });

  const both = () => ({ sun: drawn.sun, ladder: drawn.ladder });

  it('learns classes from a folder of folders and answers a picture with the class, its share and the nearest examples', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await learn(page, both());
    expect(await shownClasses(page)).toEqual({ ladder: 8, sun: 8 });
    expect(await ask(page, drawn.another.sun)).toBe('sun');
    expect(await page.locator('.bars .bar-label').allInnerTexts()).toEqual(['sun', 'ladder']);
    expect(await ask(page, drawn.another.ladder)).toBe('ladder');
    const nearest = page.getByRole('region', { name: 'Most alike' });
    expect((await nearest.locator('.nearest-label').allInnerTexts()).slice(0, 3)).toEqual(Array(3).fill('ladder'));
    await nearest.locator('img').nth(4).waitFor();
    // Real pictures, not broken ones.
    const widths = await nearest
      .locator('img')
      .evaluateAll((images) =>
        Promise.all(
          images.map((image) =>
            (image as HTMLImageElement).decode().then(() => (image as HTMLImageElement).naturalWidth),
          ),
        ),
      );
    expect(widths).toEqual(Array(5).fill(144));
    expect(open.strangers()).toEqual([]);
    expect(open.complaints).toEqual([]);
  });

  it('knows the sample’s new drawings, and says of the stranger that it is unknown', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await page.getByRole('button', { name: 'Try a sample' }).click();
    await page.getByText('3 classes learned').waitFor();
    expect(await shownClasses(page)).toEqual({ Fish: 8, Leaf: 8, Mug: 8 });
    const answers: string[] = [];
    for (let drawing = 1; drawing <= 4; drawing++) {
      await page.getByRole('button', { name: `Ask about drawing ${drawing}` }).click();
      await page.getByAltText(/-11\.png/).waitFor();
      answers.push(await verdict(page));
    }
    expect(answers).toEqual(['Leaf', 'Mug', 'Fish', 'Unknown']);
    await page.getByText('Not like anything you have shown me.', { exact: false }).first().waitFor();
    expect(await page.locator('.answer').getAttribute('class')).toContain('is-unknown');
    expect(open.complaints).toEqual([]);
  });

  it('takes every change back, byte for byte, and makes it again', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await learn(page, both());
    const before = await saved(page);

    const changes: readonly [string, () => Promise<unknown>, Record<string, number>][] = [
      [
        'is now',
        async () => {
          await page.getByRole('button', { name: 'sun: rename' }).click();
          await page.getByLabel('New name for sun').fill('ball');
          await page.keyboard.press('Enter');
        },
        { ladder: 8, ball: 8 },
      ],
      [
        'went into',
        async () => {
          await page.getByRole('button', { name: 'More for sun' }).click();
          await page.getByRole('menuitem', { name: 'Merge into' }).click();
          await page.getByRole('button', { name: 'Merge', exact: true }).click();
        },
        { ladder: 16 },
      ],
      [
        'was deleted',
        async () => {
          await page.getByRole('button', { name: 'More for sun' }).click();
          await page.getByRole('menuitem', { name: 'Delete' }).click();
        },
        { ladder: 8 },
      ],
      [
        'taken out',
        async () => {
          await page.getByRole('button', { name: 'More for sun' }).click();
          await page.getByRole('menuitem', { name: 'Take pictures out' }).click();
          await page.getByRole('button', { name: 'Take out sun, picture 1' }).click();
        },
        { ladder: 8, sun: 7 },
      ],
      [
        '1 picture added to “sun”',
        () => pick(page, page.getByRole('button', { name: 'Add pictures to sun' }), [drawn.another.sun]),
        { ladder: 8, sun: 9 },
      ],
    ];
    for (const [said, make, after] of changes) {
      await make();
      await page.getByRole('status').getByText(said, { exact: false }).first().waitFor();
      expect(await shownClasses(page), said).toEqual(after);
      await page.keyboard.press('Control+z');
      await page.getByText('Undone:', { exact: false }).waitFor();
      expect(await shownClasses(page), said).toEqual({ ladder: 8, sun: 8 });
      expect((await saved(page)).equals(before), said).toBe(true);
      await page.getByRole('button', { name: 'Redo' }).click();
      await expect.poll(() => shownClasses(page), PATIENT).toEqual(after);
      await page.keyboard.press('Control+z');
      await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 8, sun: 8 });
    }
    expect(open.complaints).toEqual([]);
  });

  it('saves a file that Node opens: the same bytes again, and the same prediction', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await learn(page, both());
    expect(await ask(page, drawn.another.sun)).toBe('sun');
    const shares = await page.locator('.bar-share').allInnerTexts();
    const bytes = await saved(page);
    const folder = temporary('saved-');
    try {
      const file = path.join(folder, 'things.imprint');
      writeFileSync(file, bytes);
      await using classifier = await openClassifier(file);
      expect(Buffer.from(classifier.snapshot()).equals(bytes)).toBe(true);
      const prediction = await classifier.classify(drawn.another.sun.buffer);
      expect(prediction.label).toBe('sun');
      expect(prediction.ranking.map(({ probability }) => `${Math.round(100 * probability)} %`)).toEqual(shares);

      // A file learned in Node is opened by the page, and comes out as it went in.
      await classifier.renameClass('sun', 'wheel');
      const learnedInNode = Buffer.from(classifier.snapshot());
      writeFileSync(file, learnedInNode);
      await pick(page, page.getByRole('button', { name: 'Open a saved file' }), file);
      await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
      await page.getByText('is open', { exact: false }).waitFor();
      expect(await shownClasses(page)).toEqual({ ladder: 8, wheel: 8 });
      expect((await saved(page)).equals(learnedInNode)).toBe(true);

      // Beside what is here: the other name is one more class.
      writeFileSync(file, bytes);
      await pick(page, page.getByRole('button', { name: 'Open a saved file' }), file);
      await page.getByRole('dialog').getByRole('button', { name: 'Add to what is here' }).click();
      await page.getByText('was added', { exact: false }).waitFor();
      expect(await shownClasses(page)).toEqual({ ladder: 8, sun: 8, wheel: 8 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    expect(open.complaints).toEqual([]);
  });

  it('says in the error’s own sentence what is wrong with a file, and changes nothing', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await learn(page, both());
    const before = await saved(page);
    const folder = temporary('broken-');
    try {
      const file = path.join(folder, 'broken.imprint');
      writeFileSync(file, before.subarray(0, before.length - 9));
      await pick(page, page.getByRole('button', { name: 'Open a saved file' }), file);
      await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
      await page
        .getByRole('alert')
        .getByText(/^Expected .*, got/)
        .waitFor();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const notes = { name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') };
    await pick(page, page.getByRole('button', { name: 'Add pictures to sun' }), [notes]);
    await page
      .getByRole('alert')
      .getByText(/notes\.png/)
      .waitFor();
    expect((await saved(page)).equals(before)).toBe(true);
    expect(open.complaints).toEqual([]);
  });

  it('takes pasted pictures as questions, or as examples of the card that has the focus', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await learn(page, both());
    const paste = (name: string, base64: string) =>
      page.evaluate(
        ([file, bytes]) => {
          const data = Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([data], file, { type: 'image/png' }));
          document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
        },
        [name, base64] as const,
      );
    await paste('question.png', drawn.another.ladder.buffer.toString('base64'));
    await page.getByAltText('The picture asked about: question.png').waitFor();
    expect(await verdict(page)).toBe('ladder');
    await card(page, 'ladder').getByRole('button', { name: 'Add pictures to ladder' }).focus();
    await paste('example.png', drawn.another.ladder.buffer.toString('base64'));
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 9, sun: 8 });
  });
});
