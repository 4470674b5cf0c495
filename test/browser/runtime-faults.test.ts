/** Everything that goes wrong around a classifier on a page has a stated answer, and nothing that was learned is lost. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, type BuiltPage } from './build-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, STRICT_CSP, type Answer, type Site } from './serve.ts';

const TINY = '/fixtures/tiny-backbone/manifest.json';
const ASSETS = path.join(root, 'packages/web/dist/assets');
/** The embedded model's size, as its manifest states it. */
const { sizeBytes } = JSON.parse(readFileSync(path.join(root, 'models/imprint-tiny/manifest.json'), 'utf8')) as {
  sizeBytes: number;
};
const OTHER_MODULE: Answer = { body: 'export const other = 1;', headers: { 'content-type': 'text/javascript' } };
const WRONG_ENGINE =
  /^BACKBONE_INVALID: Expected ONNX Runtime's files of this release at .*ort\.wasm\.min\.mjs, .*, got something else \(.*npx imprint-web-assets DIR/;
const HTML: Answer = { body: '<!doctype html><title>An app</title>', headers: { 'content-type': 'text/html' } };

/** Ends the page's workers as a crash would: at once, and without a word. */
async function crash(page: Page): Promise<void> {
  await Promise.all(page.workers().map((worker) => worker.evaluate(() => close())));
}

describeInBrowser('faults around a classifier on a page', () => {
  let browser: Browser;
  let site: Site;
  let home: HomePage;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve({ ...built.routes, '/engine': ASSETS });
    home = await HomePage.open(browser, site);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  /** What opening fails with, on a page that is served with `headers`. */
  async function openingFails(options: object, headers: Record<string, string> = {}): Promise<string> {
    site.headers = headers;
    // The cache keeps headers: what a policy came with is for a context of its own.
    const place = Object.keys(headers).length > 0 ? {} : { home };
    try {
      await using open = await openPage(browser, `${site.origin}/`, place);
      const failed = await open.page.evaluate((options) => failure(openClassifier(options)), {
        device: 'wasm' as const,
        ...options,
      });
      if (failed !== 'none') await expect.poll(() => open.page.workers(), { timeout: 20_000 }).toEqual([]);
      return failed;
    } finally {
      site.headers = {};
    }
  }

  it.each(['examples', 'statistics'] as const)(
    'restarts a worker that crashed, with everything that was learned by every verb, memory %s',
    async (memory) => {
      await using open = await openPage(browser, `${site.origin}/`, { home });
      const before = await open.page.evaluate(
        async ({ backbone, memory }) => {
          const classifier = await openClassifier({ backbone, memory, device: 'wasm' });
          const file = async () => {
            await classifier.addClass('elsewhere', pictures(2, 3, 7));
            const bytes = await classifier.snapshot();
            await classifier.forgetExamples('elsewhere', pictures(2, 3, 7));
            return bytes;
          };
          await classifier.import(await file());
          await classifier.addClass('discs', pictures(0, 5));
          await Promise.all([0, 1, 2].map((i) => classifier.addExample('one by one', pictures(3, 3)[i])));
          await classifier.addExamples('discs', pictures(0, 4, 2));
          await classifier.renameClass('discs', 'Scheiben');
          await classifier.addClass('stripes', pictures(1, 5));
          await classifier.forgetExamples('stripes', pictures(1, 1));
          if (memory === 'examples') {
            const [first] = await classifier.examples('Scheiben');
            await classifier.removeExamples('Scheiben', [first.id]);
            const [second] = await classifier.examples('Scheiben');
            await classifier.moveExamples('Scheiben', 'stripes', [second.id]);
            await classifier.addClass('short-lived', pictures(5, 2));
            await classifier.removeClass('short-lived');
          }
          await classifier.mergeClasses('elsewhere', 'stripes');
          return { hash: await classifier.hash(), classes: classifier.classes };
        },
        { backbone: TINY, memory },
      );
      await crash(open.page);
      const after = await open.page.evaluate(async () => {
        const { classifier, notices } = globalThis;
        const hash = await classifier.hash();
        const label = (await classifier.classify(pictures(1, 1, 9)[0])).ranking[0].label;
        return { hash, classes: classifier.classes, label, notices };
      });
      expect({ hash: after.hash, classes: after.classes }).toEqual(before);
      expect(after.label).toBe('stripes');
      expect(after.notices).toEqual([
        { kind: 'worker', message: expect.stringMatching(/Another has taken over; nothing that was learned is lost/) },
      ]);
    },
  );

  it('repeats a question that the crash interrupted, and refuses a change that it cannot know to be done', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const hash = await open.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ backbone, device: 'wasm' });
      await classifier.addClass('discs', pictures(0, 3));
      await classifier.addClass('stripes', pictures(1, 3));
      return classifier.hash();
    }, TINY);
    const under = open.page.evaluate(async () => {
      const { classifier } = globalThis;
      async function* endless() {
        for (let i = 0; ; i++) {
          yield pictures(3, 1, i)[0];
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      const adding = failure(classifier.addClass('never', endless()));
      const asking = adding.then(() => classifier.classify(pictures(0, 1, 4)[0]));
      const asked = Promise.all(Array.from({ length: 40 }, () => classifier.classify(pictures(0, 1, 4)[0])));
      return { adding: await adding, after: (await asking).label, asked: (await asked).map(({ label }) => label) };
    });
    await open.page.waitForTimeout(20);
    await crash(open.page);
    const { adding, after, asked } = await under;
    expect(adding).toMatch(
      /^DEVICE_UNAVAILABLE: Expected the classifier's worker to keep running, it stopped: .* Nothing that was learned is lost/,
    );
    expect(after).toBe('discs');
    expect(asked).toEqual(Array.from({ length: 40 }, () => 'discs'));
    expect(await open.page.evaluate(() => globalThis.classifier.hash())).toBe(hash);
  });

  it('replaces a worker with an exception that nobody caught: what it holds cannot be trusted', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const before = await open.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ backbone, device: 'wasm' });
      await classifier.addClass('discs', pictures(0, 3));
      return classifier.hash();
    }, TINY);
    await open.page.workers()[0].evaluate(() => {
      setTimeout(() => {
        throw new Error('out of the blue');
      });
    });
    await expect.poll(() => open.page.evaluate(() => globalThis.notices.length), { timeout: 20_000 }).toBe(1);
    const after = await open.page.evaluate(async () => ({
      hash: await globalThis.classifier.hash(),
      notices: globalThis.notices,
    }));
    expect(after.hash).toBe(before);
    expect(after.notices[0]).toEqual({ kind: 'worker', message: expect.stringContaining('out of the blue') });
    expect(open.page.workers()).toHaveLength(1);
  });

  it('stops after four workers that came to nothing, and says so', async () => {
    const script = `import('/engine/worker.js').then(() => addEventListener('message', ({ data }) => data.type === 'call' && close()));`;
    site.routes.set('/mortal.js', () => ({ body: script }));
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const failed = await open.page.evaluate(async (backbone) => {
      const classifier = await openClassifier({ backbone, device: 'wasm', workerUrl: '/mortal.js' });
      const attempts = [];
      for (let i = 0; i < 4; i++) attempts.push(await failure(classifier.addClass('a', pictures(0, 1))));
      return [...attempts, await failure(classifier.hash())];
    }, TINY);
    expect(failed.at(-1)).toMatch(/^DEVICE_UNAVAILABLE: .* it stopped 4 times: .* make a new classifier/);
  });

  it.each<[string, string, Answer | undefined, RegExp]>([
    [
      'a missing engine',
      'ort.wasm.min.mjs',
      undefined,
      /^BACKBONE_NOT_FOUND: Expected ONNX Runtime's script at .*npx imprint-web-assets DIR/,
    ],
    [
      'a missing WASM file',
      'ort-wasm-simd-threaded.wasm.gz',
      undefined,
      /^BACKBONE_NOT_FOUND: .* got HTTP 404.*npx imprint-web-assets DIR/,
    ],
    [
      'a missing script beside the WASM file',
      'ort-wasm-simd-threaded.mjs',
      undefined,
      /^BACKBONE_NOT_FOUND: Expected ONNX Runtime's second script at .*npx imprint-web-assets DIR/,
    ],
    [
      'a page in place of the script beside the WASM file',
      'ort-wasm-simd-threaded.mjs',
      HTML,
      /^BACKBONE_NOT_FOUND: Expected ONNX Runtime's second script at .*npx imprint-web-assets DIR/,
    ],
    ...['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs'].map((file): [string, string, Answer, RegExp] => [
      `another module in place of ${file}`,
      file,
      OTHER_MODULE,
      WRONG_ENGINE,
    ]),
    [
      'WASM that links and is another',
      'ort-wasm-simd-threaded.wasm.gz',
      { body: gzipSync(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)) },
      WRONG_ENGINE,
    ],
    ['gzip of no WASM', 'ort-wasm-simd-threaded.wasm.gz', { body: gzipSync('something else') }, WRONG_ENGINE],
    [
      'an engine that gets no memory',
      'ort-wasm-simd-threaded.mjs',
      {
        body: `export default async () => { throw new RangeError('WebAssembly.Memory(): could not allocate memory'); };`,
        headers: { 'content-type': 'text/javascript' },
      },
      /^DEVICE_UNAVAILABLE: Expected memory for ONNX Runtime, got: .*could not allocate memory/,
    ],
    [
      'a page in place of the WASM file',
      'ort-wasm-simd-threaded.wasm.gz',
      HTML,
      /^BACKBONE_NOT_FOUND: .* got an HTML page/,
    ],
    [
      'a page in place of the manifest',
      'manifest.json',
      HTML,
      /^BACKBONE_NOT_FOUND: Expected the backbone's manifest at .* got an HTML page/,
    ],
    [
      'a page in place of the model',
      'model.onnx',
      HTML,
      /^BACKBONE_NOT_FOUND: Expected the backbone's model at .* got an HTML page/,
    ],
    ['a manifest that is none', 'manifest.json', { body: '{}' }, /^BACKBONE_INVALID: Expected 1 .* for version/],
    [
      'another model',
      'model.onnx',
      { body: new Uint8Array(sizeBytes) },
      /^BACKBONE_INVALID: Expected sha256 [0-9a-f]{64} of /,
    ],
    [
      'half a model',
      'model.onnx',
      { body: new Uint8Array(1000) },
      new RegExp(`^BACKBONE_INVALID: Expected ${sizeBytes} bytes in .* got 1000`),
    ],
    [
      'a page in place of the worker',
      'worker.js',
      HTML,
      /^FILE_UNREADABLE: Expected the worker's script to load.*npx imprint-web-assets DIR/,
    ],
    ['no worker', 'worker.js', undefined, /^FILE_UNREADABLE: Expected the worker's script to load/],
    [
      'a worker of another release',
      'worker.js',
      { body: `postMessage({ type: 'hello', version: 0 })`, headers: { 'content-type': 'text/javascript' } },
      /^UNSUPPORTED: Expected a worker script of this release/,
    ],
  ])('answers to %s', async (_, file, answer, message) => {
    site.routes.set('/spoilt', (_, url) => {
      const name = url.pathname.slice('/spoilt/'.length);
      return name === file ? answer : { body: readFileSync(path.join(ASSETS, name)) };
    });
    expect(await openingFails({ assets: '/spoilt' })).toMatch(message);
  });

  it.each<[string, Answer | undefined, RegExp]>([
    [
      'is missing',
      undefined,
      /^BACKBONE_NOT_FOUND: Expected the worker's second script at .*\/first-only\/worker-seldom\.js, could not load it .*npx imprint-web-assets DIR/,
    ],
    [
      'is another module',
      OTHER_MODULE,
      /^BACKBONE_INVALID: Expected the worker's second script of this release at .*\/first-only\/worker-seldom\.js, got something else .*npx imprint-web-assets DIR/,
    ],
  ])('says so where the second script %s, and goes on without it', async (_, answer, message) => {
    site.routes.set('/first-only', (_, url) => {
      const name = url.pathname.slice('/first-only/'.length);
      return name === 'worker-seldom.js' ? answer : { body: readFileSync(path.join(ASSETS, name)) };
    });
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const { failed, label } = await open.page.evaluate(async () => {
      const classifier = await openClassifier({ device: 'wasm', assets: '/first-only' });
      await classifier.addClass('discs', pictures(0, 3));
      await classifier.addClass('stripes', pictures(1, 3));
      const failed = await failure(classifier.review());
      const { ranking } = await classifier.classify(pictures(0, 4)[3]);
      return { failed, label: ranking[0].label };
    });
    expect(failed).toMatch(message);
    expect(label).toBe('discs');
  });

  it('gives up on a worker that says nothing for 30 s', async () => {
    site.routes.set('/silent.js', () => OTHER_MODULE);
    await using open = await openPage(browser, `${site.origin}/`);
    const { page } = open;
    await page.clock.install();
    const opening = page.evaluate(() => failure(openClassifier({ device: 'wasm', workerUrl: '/silent.js' })));
    await expect.poll(() => page.workers()).toHaveLength(1);
    await page.clock.fastForward(3_600_000);
    await page.clock.runFor(20_000);
    expect(page.workers()).toHaveLength(1);
    await page.clock.runFor(10_000);
    expect(await opening).toMatch(
      /^FILE_UNREADABLE: Expected the worker's script to load, got: nothing within 30 s\. Check that its address/,
    );
    await expect.poll(() => page.workers()).toEqual([]);
  });

  it('takes WASM that a server has inflated on its way', async () => {
    const { gunzipSync } = await import('node:zlib');
    site.routes.set('/inflated', (_, url) => {
      const name = url.pathname.slice('/inflated/'.length);
      const bytes = readFileSync(path.join(ASSETS, name));
      return { body: name.endsWith('.gz') ? gunzipSync(bytes) : bytes };
    });
    expect(await openingFails({ assets: '/inflated/', backbone: TINY })).toBe('none');
  });

  it('says which policy keeps WASM from compiling', async () => {
    const policy = STRICT_CSP['content-security-policy'].replace(" 'wasm-unsafe-eval'", '');
    expect(await openingFails({}, { 'content-security-policy': policy })).toMatch(
      /^UNSUPPORTED: .* Content-Security-Policy forbids it\. Add 'wasm-unsafe-eval' to its script-src/,
    );
  });

  it('says so when the backbone is not there, or a policy forbids asking for it', async () => {
    expect(await openingFails({ backbone: '/nothing/manifest.json' })).toMatch(
      /^BACKBONE_NOT_FOUND: .*\/nothing\/manifest\.json, got HTTP 404/,
    );
    expect(await openingFails({}, { 'content-security-policy': "connect-src 'none'" })).toMatch(
      /^BACKBONE_NOT_FOUND: .* could not fetch it .* connect-src policy/,
    );
  });

  it('refuses options that are none, before it starts a worker', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const failures = await open.page.evaluate(() =>
      Promise.all(
        [{ device: 'cpu' }, { numThreads: 0 }, { maxPixels: -1 }, { backbone: 'http://[' }, { assets: 'http://[' }].map(
          (options) => failure(openClassifier(options as never)),
        ),
      ),
    );
    for (const [i, name] of ['device', 'numThreads', 'maxPixels', 'backbone', 'assets'].entries()) {
      expect(failures[i]).toMatch(new RegExp(`^INVALID_ARGUMENT: Expected .* for ${name}, got `));
    }
    const elsewhere = ['https://example.com/folder/', '//example.com', site.origin.replace(/\d+$/, '1')];
    for (const name of ['assets', 'backbone', 'workerUrl'])
      for (const url of elsewhere)
        expect(await openingFails({ [name]: url })).toMatch(
          new RegExp(
            `^INVALID_ARGUMENT: Expected a URL of this page's origin for ${name}, got "http.*npx imprint-web-assets`,
          ),
        );
    expect(open.page.workers()).toEqual([]);
    expect(open.strangers()).toEqual([]);
    expect(await openingFails({ head: 'nothing', backbone: TINY })).toMatch(/^INVALID_ARGUMENT: /);
  });

  it('ends the worker where the scope of `await using` ends', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    // As text: the test's own compiler would put helpers in place of the syntax.
    const numExamples = await open.page.evaluate(`(async () => {
      await using classifier = await imprint.createClassifier({ backbone: '${TINY}', device: 'wasm' });
      await classifier.addClass('discs', pictures(0, 2));
      return classifier.numExamples;
    })()`);
    expect(numExamples).toBe(2);
    await expect.poll(() => open.page.workers()).toEqual([]);
    expect(open.complaints).toEqual([]);
  });

  it('ends the worker on dispose, and while it is opening on abort', async () => {
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const told = await open.page.evaluate(async (backbone) => {
      const abort = new AbortController();
      const opening = failure(openClassifier({ backbone, device: 'wasm', signal: abort.signal }));
      setTimeout(() => abort.abort(new Error('changed my mind')), 30);
      const aborted = await opening;
      const classifier = await openClassifier({ backbone, device: 'wasm' });
      await classifier.addClass('a', pictures(0, 1));
      const asking = failure(classifier.classify(pictures(0, 1)[0]));
      await classifier.dispose();
      await classifier.dispose();
      return [aborted, await asking, await failure(classifier.hash())];
    }, TINY);
    expect(told).toEqual([
      'Error: changed my mind',
      expect.stringMatching(/^DISPOSED: /),
      expect.stringMatching(/^DISPOSED: /),
    ]);
    await expect.poll(() => open.page.workers()).toEqual([]);
  });
});
