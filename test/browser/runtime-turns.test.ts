/** Verbs take turns in the worker: a change is not held up by live questions, nor they by what waits for them. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, type Site } from './serve.ts';

declare global {
  /** A classifier with a store that knows two classes. */
  var learned: () => Promise<typeof globalThis.classifier>;
}

describeInBrowser('turns', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium({ fakeCamera: true });
    built = await buildRuntimePage();
    site = await serve(built.routes);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  async function open() {
    const tab = await openPage(browser, `${site.origin}/`, { permissions: ['camera'] });
    await tab.page.evaluate(() => {
      globalThis.learned = async () => {
        const backbone = '/fixtures/tiny-backbone/manifest.json';
        const classifier = await openClassifier({ backbone, device: 'wasm', store: 'turns' });
        await classifier.addClass('discs', pictures(0, 3));
        await classifier.addClass('stripes', pictures(1, 3));
        return classifier;
      };
    });
    return tab;
  }

  it('answers a change after at most the one live question that came before it', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const classifier = await learned();
      const [asked] = pictures(0, 1, 9);
      let answers = 0;
      let isOver = false;
      // As `watch` does with a camera that always has a new frame.
      const live = (async () => {
        for (; !isOver; answers++) await classifier.classify(asked);
      })();
      const changes: (() => Promise<unknown>)[] = [
        ...pictures(2, 8).map((picture) => () => classifier.addExample('waves', picture)),
        () => classifier.renameClass('waves', 'sea'),
        () => classifier.removeClass('sea'),
        async () => classifier.import(await classifier.export(), { merge: true }),
      ];
      const between: number[] = [];
      for (const change of changes.slice(0, -1)) {
        const before = answers;
        await change();
        between.push(answers - before);
        // The question that waited is answered, so live answers go on between changes.
        const reached = answers + 2;
        while (answers < reached) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await changes.at(-1)!();
      isOver = true;
      await live;
      return { between, classes: classifier.classes };
    });
    expect(told.between).toHaveLength(10);
    expect(Math.max(...told.between)).toBeLessThanOrEqual(1);
    expect(told.classes.map(({ label, count }) => [label, count])).toEqual([
      ['discs', 3],
      ['stripes', 3],
    ]);
    expect(tab.complaints).toEqual([]);
  });

  it('adds a frame while a camera is watched, and watches on', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const classifier = await learned();
      const video = document.body.appendChild(document.createElement('video'));
      const camera = await imprint.openCamera(video);
      const abort = new AbortController();
      let answers = 0;
      const watching = (async () => {
        for await (const _ of classifier.watch(video, { fps: 1000, signal: abort.signal })) {
          answers++;
          // A faster camera than there is: the frame counts as new.
          video.dispatchEvent(new Event('seeked'));
        }
      })();
      const until = async (count: number) => {
        while (answers < count) await new Promise((resolve) => setTimeout(resolve, 1));
      };
      await until(2);
      const between: number[] = [];
      for (const picture of pictures(2, 6)) {
        const before = answers;
        await classifier.addExample('waves', picture);
        between.push(answers - before);
        await until(answers + 2);
      }
      abort.abort();
      await watching;
      camera.stop();
      return { between, classes: classifier.classes.length };
    });
    expect(told.between).toHaveLength(6);
    expect(Math.max(...told.between)).toBeLessThanOrEqual(1);
    expect(told.classes).toBe(3);
    expect(tab.complaints).toEqual([]);
  });

  it('lets a change in between the pictures of a stream, and a stream wait for answers of its own', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const classifier = await learned();
      let read = 0;
      let readThen = 0;
      let adding: Promise<unknown> | undefined;
      const many = function* () {
        for (const picture of pictures(2, 40)) {
          if (read++ === 3) adding = classifier.addExample('discs', pictures(0, 1, 5)[0]).then(() => (readThen = read));
          yield picture;
        }
      };
      await classifier.addClass('waves', many());
      await adding;
      // What is added next depends on what is known now: a question of a change that is under way must not wait for it.
      const answers: unknown[] = [];
      const choosing = async function* () {
        for (const picture of pictures(4, 3)) {
          answers.push((await classifier.classify(picture)).ranking.length);
          await classifier.addExample('stripes', pictures(1, 1, 10 + answers.length)[0]);
          yield picture;
        }
      };
      await classifier.addClass('chosen', choosing());
      return { readThen, answers, classes: classifier.classes };
    });
    // Four are on their way ahead of the model.
    expect(told.readThen).toBeGreaterThan(3);
    expect(told.readThen).toBeLessThanOrEqual(10);
    expect(told.answers).toEqual([3, 3, 3]);
    expect(told.classes.map(({ label, count }) => [label, count])).toEqual([
      ['chosen', 3],
      ['discs', 4],
      ['stripes', 6],
      ['waves', 40],
    ]);
    expect(tab.complaints).toEqual([]);
  });

  it('ends a question that waits for a change when its signal says so', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const classifier = await learned();
      const [asked, added] = pictures(0, 2, 9);
      const abort = new AbortController();
      const events: string[] = [];
      // Another holds the store: the change cannot end before it is let go.
      let release = () => {};
      await new Promise<void>((held) => {
        void navigator.locks.request('imprint opfs:turns', () => {
          held();
          return new Promise<void>((resolve) => (release = resolve));
        });
      });
      const change = classifier.addExample('discs', added).then(() => events.push('change'));
      const asking = failure(classifier.classify(asked, { signal: abort.signal })).then((what) => events.push(what));
      await classifier.hash();
      abort.abort(new DOMException('enough', 'AbortError'));
      await asking;
      release();
      await change;
      return { events };
    });
    expect(told.events).toEqual(['AbortError: enough', 'change']);
    expect(tab.complaints).toEqual([]);
  });
});
