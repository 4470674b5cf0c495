/** Looking at a video and a camera: newest frames only, one at a time, and a stated answer when there are none. */

import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage, type OpenOptions } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, type Site } from './serve.ts';

declare global {
  /** A classifier that knows two classes, and a video that shows nothing yet. */
  var ready: (workerUrl?: string) => Promise<HTMLVideoElement>;
  var looks: number;
  /** Every frame that was made, or arrived. */
  var seenFrames: VideoFrame[];
  /** A film of `seconds`, as a file. */
  var film: (seconds: number) => Promise<Blob>;
}

const SOON = { timeout: 20_000 };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describeInBrowser('watching', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium({ fakeCamera: true });
    built = await buildRuntimePage();
    site = await serve({ ...built.routes, '/engine': path.join(root, 'packages/web/dist/assets') });
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  async function open(options: OpenOptions = { permissions: ['camera'] }) {
    const tab = await openPage(browser, `${site.origin}/`, options);
    await tab.page.evaluate(() => {
      globalThis.ready = async (workerUrl) => {
        const backbone = '/fixtures/tiny-backbone/manifest.json';
        const classifier = await openClassifier({
          backbone,
          device: 'wasm',
          store: 'watched',
          ...(workerUrl && { workerUrl }),
        });
        await classifier.addClass('discs', pictures(0, 3));
        await classifier.addClass('stripes', pictures(1, 3));
        return document.body.appendChild(document.createElement('video'));
      };
      globalThis.film = async (seconds) => {
        const canvas = document.body.appendChild(document.createElement('canvas'));
        const context = canvas.getContext('2d')!;
        const recorder = new MediaRecorder(canvas.captureStream(30));
        const parts: Blob[] = [];
        recorder.ondataavailable = ({ data }) => parts.push(data);
        const stopped = new Promise((resolve) => (recorder.onstop = resolve));
        recorder.start();
        for (const start = performance.now(); performance.now() - start < seconds * 1000;) {
          context.fillStyle = `hsl(${performance.now() / 5}, 90%, 50%)`;
          context.fillRect(0, 0, canvas.width, canvas.height);
          await new Promise(requestAnimationFrame);
        }
        recorder.stop();
        await stopped;
        canvas.remove();
        return new Blob(parts, { type: recorder.mimeType });
      };
    });
    return tab;
  }

  it('answers a camera at most so often, one frame at a time, and stops at once when told to', async () => {
    await using tab = await open();
    const seen = await tab.page.evaluate(async () => {
      const video = await ready();
      const abort = new AbortController();
      const camera = await imprint.openCamera(video);
      const labels: unknown[] = [];
      const start = performance.now();
      for await (const { prediction, elapsedMs } of globalThis.classifier.watch(video, {
        fps: 8,
        signal: abort.signal,
      })) {
        labels.push(prediction.ranking[0].label);
        if (!(elapsedMs > 0)) throw new Error('no time passed');
        if (labels.length === 6) setTimeout(() => abort.abort(), 1);
      }
      const elapsedMs = performance.now() - start;
      camera.stop();
      camera.stop();
      const isOff = camera.stream.getTracks().every(({ readyState }) => readyState === 'ended');
      return { count: labels.length, labels, elapsedMs, isOff, emptied: video.srcObject === null };
    });
    // Six looks are five pauses of 125 ms.
    expect(seen.elapsedMs).toBeGreaterThan(5 * 125 - 5);
    expect(seen.count).toBeLessThanOrEqual(7);
    expect(['discs', 'stripes']).toEqual(expect.arrayContaining([...new Set(seen.labels)]));
    expect(seen).toMatchObject({ isOff: true, emptied: true });
    expect(tab.complaints).toEqual([]);
  });

  it('ends with the scope of `using`, compiled, in a browser that has no symbols for it', async () => {
    await using context = await browser.newContext({ permissions: ['camera'] });
    await context.addInitScript(() => {
      const known = Symbol;
      const { dispose: _, asyncDispose: __, ...others } = Object.getOwnPropertyDescriptors(known);
      globalThis.Symbol = Object.defineProperties((text?: string) => known(text), others) as never;
    });
    await using tab = await open({ context });
    const { code } = await esbuild.transform(
      `(async () => {
        const video = await ready();
        let stream;
        {
          await using classifier = globalThis.classifier;
          using camera = await imprint.openCamera(video);
          stream = camera.stream;
        }
        const isOff = stream.getTracks().every(({ readyState }) => readyState === 'ended');
        return [typeof Symbol.dispose, typeof Symbol.asyncDispose, isOff, await failure(classifier.hash())];
      })()`,
      { target: 'es2022' },
    );
    expect(await tab.page.evaluate(code)).toEqual([
      'undefined',
      'undefined',
      true,
      expect.stringMatching(/^DISPOSED: /),
    ]);
    expect(tab.complaints).toEqual([]);
  });

  it('drops the frames that come while the consumer is busy', async () => {
    await using tab = await open();
    const times = await tab.page.evaluate(async () => {
      const video = await ready();
      const camera = await imprint.openCamera(video);
      const times: number[] = [];
      for await (const _ of globalThis.classifier.watch(video, { fps: 30 })) {
        times.push(video.currentTime);
        if (times.length === 3) break;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      camera.stop();
      return times;
    });
    // A queue would answer the frames of the half second one after the other.
    expect(times[1] - times[0]).toBeGreaterThan(0.4);
    expect(times[2] - times[1]).toBeGreaterThan(0.4);
  });

  it('records from a camera while a button is held: a frame is an example, the same frame is none', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const video = await ready();
      const { classifier } = globalThis;
      const camera = await imprint.openCamera(video);
      const reports = [];
      for (let i = 0; i < 5; i++) {
        reports.push(classifier.addExample('camera', video));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await Promise.all(reports);
      video.pause();
      await classifier.addExample('paused', video);
      const again = await classifier.addExample('paused', video);
      camera.stop();
      return { again, classes: classifier.classes, ids: (await classifier.examples('camera')).map(({ id }) => id) };
    });
    expect(told.again).toMatchObject({ added: 0, duplicates: 1 });
    expect(new Set(told.ids).size).toBe(told.ids.length);
    expect(told.ids.length).toBeGreaterThan(1);
    await tab.page.reload();
    const { classes } = await tab.page.evaluate(async () => {
      const backbone = '/fixtures/tiny-backbone/manifest.json';
      return { classes: (await openClassifier({ backbone, device: 'wasm', store: 'watched' })).classes };
    });
    expect(classes).toEqual(told.classes);
    expect(tab.complaints).toEqual([]);
  });

  it('waits for a video that shows nothing yet, ends with a film, and looks again when classes change', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const video = await ready();
      video.muted = true;
      const { classifier } = globalThis;
      let looks = 0;
      const watching = (async () => {
        for await (const _ of classifier.watch(video, { fps: 20 })) looks++;
      })();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = looks;
      video.src = URL.createObjectURL(await film(1));
      await video.play();
      await watching;
      const during = looks;
      // A paused video has one frame to look at, until something changes.
      const abort = new AbortController();
      video.currentTime = 0;
      await new Promise((resolve) => (video.onseeked = resolve));
      const paused: number[] = [];
      const again = (async () => {
        for await (const { prediction } of classifier.watch(video, { signal: abort.signal }))
          paused.push(prediction.ranking.length);
      })();
      while (paused.length < 1) await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 500));
      const still = paused.length;
      await classifier.addClass('waves', pictures(2, 3));
      while (paused.at(-1) !== 3) await new Promise((resolve) => setTimeout(resolve, 20));
      abort.abort();
      await again;
      return { before, during, still };
    });
    expect(told.before).toBe(0);
    expect(told.during).toBeGreaterThan(2);
    expect(told.still).toBeLessThanOrEqual(2);
    expect(tab.complaints).toEqual([]);
  });

  it('says that a camera was lost, that a video cannot be played, and that fps is none', async () => {
    await using tab = await open();
    const told = await tab.page.evaluate(async () => {
      const video = await ready();
      const { classifier } = globalThis;
      const watch = async (options = {}) => {
        for await (const _ of classifier.watch(video, options)) await 0;
      };
      const camera = await imprint.openCamera(video);
      const lost = failure(watch());
      await new Promise((resolve) => setTimeout(resolve, 200));
      for (const track of camera.stream.getTracks()) track.stop();
      const answers = [await lost];
      camera.stop();
      video.src = URL.createObjectURL(new Blob(['no film'], { type: 'video/webm' }));
      answers.push(await failure(watch()));
      return [...answers, await failure(watch({ fps: 0 }))];
    });
    expect(told).toEqual([
      expect.stringMatching(/^CAMERA_UNAVAILABLE: Expected a camera that goes on, but it has stopped/),
      expect.stringMatching(/^IMAGE_UNREADABLE: Expected a video that plays, got: /),
      expect.stringMatching(/^INVALID_ARGUMENT: Expected a number above 0 for fps, got 0/),
    ]);
  });

  it('rests while the tab is hidden', async () => {
    // Playwright keeps its pages from ever being hidden; one that is told to leave them as they are does not.
    const port = await freePort();
    const own = await launchChromium({
      fakeCamera: true,
      args: ['--use-fake-ui-for-media-stream', `--remote-debugging-port=${port}`],
    });
    try {
      const bare = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
      const [context] = bare.contexts();
      const tab = await open({ context });
      const devtools = await context.newCDPSession(tab.page);
      const { windowId } = await devtools.send('Browser.getWindowForTarget');
      const show = async (windowState: 'minimized' | 'normal') => {
        await devtools.send('Browser.setWindowBounds', { windowId, bounds: { windowState } });
        await expect.poll(() => tab.page.evaluate(() => document.hidden), SOON).toBe(windowState === 'minimized');
      };
      await tab.page.evaluate(async () => {
        const video = await ready();
        await imprint.openCamera(video);
        Object.assign(globalThis, { looks: 0 });
        void (async () => {
          for await (const _ of globalThis.classifier.watch(video, { fps: 30 })) globalThis.looks++;
        })();
      });
      const looks = () => tab.page.evaluate(() => globalThis.looks);
      await expect.poll(looks, SOON).toBeGreaterThan(2);
      await show('minimized');
      let before = -1;
      // What was under way is answered still.
      const isResting = async () => {
        before = await looks();
        await tab.page.waitForTimeout(700);
        return (await looks()) === before;
      };
      await expect.poll(isResting, SOON).toBe(true);
      await show('normal');
      await expect.poll(looks, SOON).toBeGreaterThan(before + 2);
    } finally {
      await own.close();
    }
  });

  it('frees every frame, whatever became of its question', async () => {
    const script = `globalThis.seenFrames = [];
      addEventListener('message', ({ data }) => {
        for (const input of [data.value, ...(data.args ?? [])]) if (input?.picture?.frame) seenFrames.push(input.picture.frame);
      });
      import('/engine/worker.js');`;
    site.routes.set('/counting.js', () => ({ body: script, headers: { 'content-type': 'text/javascript' } }));
    await using tab = await open();
    await tab.page.evaluate(async () => {
      globalThis.seenFrames = [];
      const { VideoFrame } = globalThis;
      globalThis.VideoFrame = new Proxy(VideoFrame, {
        construct(target, args, newTarget) {
          const frame = Reflect.construct(target, args, newTarget) as VideoFrame;
          globalThis.seenFrames.push(frame);
          return frame;
        },
      });
      const video = await ready('/counting.js');
      const { classifier } = globalThis;
      await imprint.openCamera(video);
      await classifier.classify(video);
      const abort = new AbortController();
      const asked = Array.from({ length: 10 }, () => failure(classifier.classify(video, { signal: abort.signal })));
      await classifier.hash();
      abort.abort();
      await Promise.all(asked);
      await failure(classifier.classify(video, { signal: abort.signal }));
      const frames = async function* () {
        for (;;) yield video;
      };
      for await (const _ of classifier.classifyMany(frames())) break;
      await classifier.removeClass('discs');
      await classifier.removeClass('stripes');
      const none = await Promise.all(Array.from({ length: 10 }, () => failure(classifier.classify(video))));
      if (!none.every((message) => message.startsWith('NO_CLASSES'))) throw new Error(none.join());
    });
    // A frame that was closed, or moved elsewhere, has no format.
    const isOpen = () => globalThis.seenFrames.filter(({ format }) => format !== null).length;
    const count = () => globalThis.seenFrames.length;
    const [worker] = tab.page.workers();
    expect(await tab.page.evaluate(count)).toBeGreaterThan(20);
    expect(await worker.evaluate(count)).toBeGreaterThan(10);
    await expect.poll(() => tab.page.evaluate(isOpen), SOON).toBe(0);
    await expect.poll(() => worker.evaluate(isOpen), SOON).toBe(0);
    await tab.page.evaluate(async () => {
      await globalThis.classifier.dispose();
      await failure(globalThis.classifier.classify(document.querySelector('video')!));
    });
    expect(await tab.page.evaluate(isOpen)).toBe(0);
  });

  it('goes on where the worker crashes', async () => {
    await using tab = await open();
    const watching = tab.page.evaluate(async () => {
      const video = await ready();
      const camera = await imprint.openCamera(video);
      let looks = 0;
      let after = 0;
      for await (const _ of globalThis.classifier.watch(video, { fps: 20 })) {
        if (++looks === 3) document.title = 'looking';
        if (globalThis.notices.length > 0 && ++after === 3) break;
      }
      camera.stop();
      return globalThis.notices.map(({ kind }) => kind);
    });
    await tab.page.waitForFunction(() => document.title === 'looking');
    await Promise.all(tab.page.workers().map((worker) => worker.evaluate(() => close())));
    expect(await watching).toEqual(['worker']);
  });

  it('says why there is no camera: refused, absent, or on a page that is not secure', async () => {
    const ask = () => failure(imprint.openCamera(document.createElement('video')));
    await using refused = await open({});
    expect(await refused.page.evaluate(ask)).toMatch(
      /^CAMERA_REFUSED: Expected a camera, got a refusal\. Allow the camera/,
    );
    const bare = await launchChromium({ args: ['--use-fake-ui-for-media-stream'] });
    try {
      await using absent = await openPage(bare, `${site.origin}/`);
      expect(await absent.page.evaluate(ask)).toMatch(/^CAMERA_UNAVAILABLE: Expected a camera, got none\. Connect one/);
    } finally {
      await bare.close();
    }
  });

  it('takes a video and nothing else', async () => {
    await using tab = await open({});
    const failures = await tab.page.evaluate(async () => {
      const classifier = await openClassifier({ backbone: '/fixtures/tiny-backbone/manifest.json', device: 'wasm' });
      const image = document.createElement('img') as unknown as HTMLVideoElement;
      const none = undefined as unknown as HTMLVideoElement;
      return Promise.all([
        failure(classifier.watch(none).next()),
        failure(imprint.openCamera(none)),
        failure(imprint.openCamera(image)),
      ]);
    });
    const said = /^INVALID_ARGUMENT: Expected a <video> element for video, got /;
    for (const message of failures) expect(message).toMatch(said);
  });
});
