/** Every verb and every kind of picture on a page, streams that are read as they are wanted, and aborts that change nothing. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage, type OpenPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

const TINY = '/fixtures/tiny-backbone/manifest.json';

/** Strict, but for object URLs, which the worker reads by fetch. */
const LENIENT = {
  'content-security-policy': STRICT_CSP['content-security-policy'].replace(
    "connect-src 'self'",
    "connect-src 'self' blob:",
  ),
};

describeInBrowser('verbs and pictures on a page', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;
  let open: OpenPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve(built.routes, { headers: LENIENT });
    open = await openPage(browser, `${site.origin}/`);
    await open.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ backbone, device: 'wasm' });
      await classifier.addClass('discs', pictures(0, 6));
      await classifier.addClass('stripes', pictures(1, 6));
    }, TINY);
  });

  afterAll(async () => {
    expect(open?.complaints).toEqual([]);
    expect(open?.strangers()).toEqual([]);
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  it('sees the same picture in every form, and leaves the caller’s own as it was', async () => {
    const seen = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      const [pixels] = pictures(0, 1, 3);
      const canvas = document.createElement('canvas');
      canvas.width = pixels.width;
      canvas.height = pixels.height;
      canvas.getContext('2d')!.putImageData(pixels, 0, 0);
      const blob = await new Promise<Blob>((resolve) => canvas.toBlob((made) => resolve(made!)));
      const offscreen = new OffscreenCanvas(pixels.width, pixels.height);
      offscreen.getContext('2d')!.putImageData(pixels, 0, 0);
      const bytes = await blob.arrayBuffer();
      const bitmap = await createImageBitmap(blob);
      const frame = new VideoFrame(canvas, { timestamp: 0 });
      const address = URL.createObjectURL(blob);
      const image = document.createElement('img');
      image.src = address;
      const inputs = {
        blob,
        file: new File([blob], 'disc.png'),
        arrayBuffer: bytes,
        bytes: new Uint8Array(bytes),
        part: new Uint8Array([0, 0, ...new Uint8Array(bytes), 0]).subarray(2, -1),
        address,
        url: new URL(address),
        data: canvas.toDataURL(),
        pixels,
        bitmap,
        image,
        canvas,
        offscreen,
        frame,
      };
      const answers: Record<string, number> = {};
      for (const [name, input] of Object.entries(inputs)) {
        const { label, nearest } = await classifier.classify(input, { nearest: 1 });
        answers[name] = label === 'discs' ? nearest[0].similarity : NaN;
      }
      const untouched = [bytes.byteLength > 0, bitmap.width, frame.codedWidth, pixels.data.length, offscreen.width];
      frame.close();
      return { answers, untouched, size: [pixels.width, pixels.data.length] };
    });
    const { frame, ...exact } = seen.answers;
    expect(new Set(Object.values(exact)).size).toBe(1);
    expect(Object.values(exact)[0]).toBeGreaterThan(0.9);
    // A frame made of a canvas may pass through another colour format.
    expect(frame).toBeCloseTo(exact.blob, 2);
    const [width, length] = seen.size;
    expect(seen.untouched).toEqual([true, width, width, length, width]);
  });

  it('knows a file by its bytes, as Node does, and by its name', async () => {
    const examples = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      const blob = await (await fetch('/fixtures/tiny-backbone/manifest.json')).blob();
      const canvas = new OffscreenCanvas(20, 20);
      canvas.getContext('2d')!.fillRect(3, 4, 5, 6);
      const png = await canvas.convertToBlob();
      const digest = await crypto.subtle.digest('SHA-256', await png.arrayBuffer());
      const id = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0'))
        .join('')
        .slice(0, 16);
      const report = await classifier.addClass('files', [
        new File([png], 'a b.png'),
        { image: png, id: 'mine', source: 'yours' },
        new File([png], 'again.png'),
      ]);
      const examples = await classifier.examples('files');
      const failed = await failure(classifier.addExamples('files', [new File([blob], 'manifest.json')]));
      const skipped = await classifier.addExamples('files', [new File([blob], 'manifest.json'), pictures(4, 1)[0]], {
        onUnreadable: 'skip',
      });
      const unreadable = skipped.unreadable.map(({ index, source, error }) => [
        index,
        source,
        error instanceof imprint.ImprintError && error.code,
      ]);
      await classifier.removeClass('files');
      return { report, examples, id, failed, skipped: { ...skipped, unreadable } };
    });
    expect(examples.report).toEqual({ added: 2, duplicates: 1, unreadable: [] });
    expect(examples.examples).toEqual(
      [
        { id: examples.id, source: 'a b.png' },
        { id: 'mine', source: 'yours' },
      ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
    expect(examples.failed).toMatch(/^IMAGE_UNREADABLE: .* for manifest\.json, got other data/);
    expect(examples.skipped).toEqual({
      added: 1,
      duplicates: 0,
      unreadable: [[0, 'manifest.json', 'IMAGE_UNREADABLE']],
    });
  });

  it('refuses what is no picture, not here, or not ready', async () => {
    const failures = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      const broken = document.createElement('img');
      broken.src = '/fixtures/nothing.png';
      const empty = document.createElement('canvas');
      empty.width = 0;
      const tooLarge = new ImageData(9000, 8000);
      const inputs: unknown[] = [
        42,
        null,
        '',
        { image: 'x.png', id: '' },
        'https://elsewhere.example/cat.jpg',
        '/fixtures/nothing.png',
        broken,
        empty,
        document.createElement('video'),
        tooLarge,
      ];
      const failures = [];
      for (const input of inputs) failures.push(await failure(classifier.classify(input as never)));
      return failures;
    });
    const expected = [
      /^INVALID_ARGUMENT: Expected a Blob, .* for image, got 42/,
      /^INVALID_ARGUMENT: .* got null/,
      /^INVALID_ARGUMENT: .* got ""/,
      /^INVALID_ARGUMENT: .* for id, got ""/,
      /^INVALID_ARGUMENT: Expected a URL of this page's origin .* Fetch it yourself/,
      /^IMAGE_UNREADABLE: .* got HTTP 404/,
      /^IMAGE_UNREADABLE: .* an <img> that has not loaded/,
      /^IMAGE_UNREADABLE: .* a HTMLCanvasElement that gives no pixels/,
      /^IMAGE_UNREADABLE: Expected a picture for the video, got one that shows no frame yet/,
      /^IMAGE_TOO_LARGE: /,
    ];
    for (const [i, message] of expected.entries()) expect(failures[i]).toMatch(message);
    // The browser itself tells of what it could not load; that is not ours.
    open.complaints.splice(0, open.complaints.length, ...open.complaints.filter((text) => !text.includes('404')));
  });

  it('reads an iterable a few items ahead and no further, leaves it when the consumer leaves, and passes its error on', async () => {
    const told = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      let given = 0;
      let left = false;
      function* endless() {
        try {
          for (;;) yield pictures(given % 2, 1, given++)[0];
        } finally {
          left = true;
        }
      }
      const labels: (string | null)[] = [];
      for await (const result of classifier.classifyMany(endless())) {
        if ('error' in result) throw result.error;
        labels.push(result.prediction.ranking[0].label);
        if (labels.length === 3) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          break;
        }
      }
      await classifier.hash();
      const atEnd = given;
      await new Promise((resolve) => setTimeout(resolve, 100));
      const mine = new Error('my own');
      async function* failing() {
        yield pictures(0, 1)[0];
        await Promise.resolve();
        throw mine;
      }
      const same = await classifier.addClass('failing', failing()).catch((error: unknown) => error === mine);
      const one = await failure(classifier.addClass('one', pictures(0, 1)[0] as never));
      const none = await failure(classifier.addClass('none', []));
      return { labels, given, atEnd, left, same, one, none, classes: classifier.classes.map(({ label }) => label) };
    });
    expect(told.labels).toEqual(['discs', 'stripes', 'discs']);
    // Core classifies 32 at a time; four more are on their way.
    expect(told.given).toBeLessThanOrEqual(32 + 8);
    expect(told.given).toBe(told.atEnd);
    expect(told.left).toBe(true);
    expect(told.same).toBe(true);
    expect(told.one).toMatch(
      /^INVALID_ARGUMENT: Expected a list or another iterable for examples, got .* Put a single input in a list/,
    );
    expect(told.none).toMatch(/^NO_EXAMPLES: /);
    expect(told.classes).toEqual(['discs', 'stripes']);
  });

  it('aborts with the caller’s reason, and nothing has changed', async () => {
    const told = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      const before = await classifier.hash();
      const abort = new AbortController();
      const done: number[] = [];
      const reason = { mine: true };
      const adding = classifier.addClass('aborted', pictures(3, 200), {
        signal: abort.signal,
        onProgress: ({ done: count }) => {
          done.push(count);
          if (count === 5) abort.abort(reason);
        },
      });
      const same = await adding.catch((error: unknown) => error === reason);
      const already = await classifier
        .classify(pictures(0, 1)[0], { signal: abort.signal })
        .catch((error: unknown) => error === reason);
      const many = (async () => {
        for await (const _ of classifier.classifyMany(pictures(0, 3), { signal: abort.signal }));
      })();
      const stream = await many.catch((error: unknown) => error === reason);
      return { same, already, stream, first: done.slice(0, 3), same2: (await classifier.hash()) === before };
    });
    expect(told).toEqual({ same: true, already: true, stream: true, first: [1, 2, 3], same2: true });
  });

  it('takes a signal in every question about the whole, and passes its reason on', async () => {
    const told = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      const { signal } = new AbortController();
      const { head } = await classifier.report({ signal });
      const review = await classifier.review({ most: 2, signal });
      const suggested = await classifier.suggest(pictures(5, 6), { count: 2, signal });
      const abort = new AbortController();
      const reason = { mine: true };
      let left = false;
      async function* endless() {
        try {
          for (let i = 0; ; i++) {
            if (i === 8) abort.abort(reason);
            yield pictures(5, 1, i)[0];
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        } finally {
          left = true;
        }
      }
      const isMine = (promise: Promise<unknown>) => promise.catch((error: unknown) => error === reason);
      const same = [await isMine(classifier.suggest(endless(), { signal: abort.signal }))];
      same.push(await isMine(classifier.review({ signal: abort.signal })));
      same.push(await isMine(classifier.report({ signal: abort.signal })));
      while (!left) await new Promise((resolve) => setTimeout(resolve, 1));
      const wrong = { signal: new AbortController() } as never;
      const refused = [classifier.report(wrong), classifier.review(wrong), classifier.suggest([], wrong)];
      return {
        head,
        review: Object.keys(review).length > 0,
        suggested: suggested.length,
        same,
        left,
        refused: await Promise.all(refused.map(failure)),
      };
    });
    expect(told).toMatchObject({ head: 'auto', review: true, suggested: 2, same: [true, true, true], left: true });
    for (const message of told.refused)
      expect(message).toMatch(/^INVALID_ARGUMENT: Expected an AbortSignal for signal/);
  });

  it('evaluates, reviews, suggests, reports, and keeps its errors’ codes', async () => {
    const told = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      const labelled = [
        ...pictures(0, 5, 8).map((input) => ({ label: 'discs', input })),
        ...pictures(1, 5, 8).map((input) => ({ label: 'stripes', input })),
      ];
      const unreadable: string[] = [];
      const progress: number[] = [];
      const result = await classifier.evaluate([...labelled, { label: 'discs', input: new Blob(['no picture']) }], {
        unknown: pictures(5, 4),
        onUnreadable: ({ error }) => unreadable.push(error.code),
        onProgress: ({ done }) => progress.push(done),
      });
      return {
        accuracy: result.accuracy,
        unreadable,
        progress: progress.at(-1),
        review: Object.keys(await classifier.review({ most: 2 })).length > 0,
        suggested: (await classifier.suggest(pictures(5, 6), { count: 2 })).length,
        head: (await classifier.report()).head,
        exists: await failure(classifier.addClass('discs', pictures(0, 1))),
        missing: await failure(classifier.removeClass('nobody')),
        refused: await failure(classifier.import(new Blob(['no file']))),
        storage: await failure(classifier.storage()),
        clone: (await classifier.export()).size > 500,
      };
    });
    expect(told).toEqual({
      accuracy: 1,
      unreadable: ['IMAGE_UNREADABLE'],
      progress: 15,
      review: true,
      suggested: 2,
      head: 'auto',
      exists: expect.stringMatching(/^CLASS_EXISTS: /),
      missing: expect.stringMatching(/^CLASS_NOT_FOUND: /),
      refused: expect.stringMatching(/^SNAPSHOT_INVALID: /),
      storage: expect.any(String),
      clone: true,
    });
  });

  it('tells of changes once each, and to nobody who has left', async () => {
    const told = await open.page.evaluate(async () => {
      const { classifier } = globalThis;
      let changes = 0;
      const leave = classifier.onChange(() => changes++);
      await classifier.addClass('new', pictures(4, 2));
      await classifier.classify(pictures(0, 1)[0]);
      await classifier.renameClass('new', 'old');
      await classifier.removeClass('old');
      const counted = changes;
      leave();
      await classifier.addClass('new', pictures(4, 2));
      await classifier.removeClass('new');
      return { counted, changes };
    });
    expect(told).toEqual({ counted: 3, changes: 3 });
  });
});
