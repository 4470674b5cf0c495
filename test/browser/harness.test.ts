/** The browser harness itself: what it must notice, it notices. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPage, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { ISOLATED, serve, STRICT_CSP, type Site } from './serve.ts';

describeInBrowser('the browser harness', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium({ webgpu: true, fakeCamera: true });
    built = await buildPage();
    site = await serve({
      ...built.routes,
      '/bare': () => ({ body: '<!doctype html><title>Bare</title><link rel="icon" href="data:,">' }),
      '/bad': () => ({ body: '<!doctype html><script>undefinedName()</script>' }),
    });
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  it('serves a page that imports the built package, and the page complains of nothing', async () => {
    await using open = await openPage(browser, `${site.origin}/`);
    expect(await open.page.evaluate(() => typeof globalThis.imprint)).toBe('object');
    expect(open.complaints).toEqual([]);
    expect(open.strangers()).toEqual([]);
  });

  it('notices exceptions, policy violations, and requests to strangers, also from a worker', async () => {
    site.headers = { ...STRICT_CSP };
    await using blocked = await openPage(browser, `${site.origin}/bad`);
    expect(blocked.complaints.join('\n')).toMatch(/policy violation: script-src-elem inline/);
    site.headers = {};
    await using bad = await openPage(browser, `${site.origin}/bad`);
    expect(bad.complaints.join('\n')).toMatch(/uncaught: ReferenceError: undefinedName/);
    await using open = await openPage(browser, `${site.origin}/bare`);
    await open.page.evaluate(async () => {
      const script = `fetch('https://stranger.example/x').finally(() => postMessage('done'))`;
      const worker = new Worker(URL.createObjectURL(new Blob([script])));
      await new Promise((resolve) => (worker.onmessage = resolve));
      worker.terminate();
    });
    expect(open.strangers()).toEqual(['https://stranger.example/x']);
  });

  it('isolates pages where asked, so that memory can be shared', async () => {
    await using plain = await openPage(browser, `${site.origin}/bare`);
    expect(await plain.page.evaluate(() => crossOriginIsolated)).toBe(false);
    site.headers = { ...ISOLATED };
    await using isolated = await openPage(browser, `${site.origin}/bare`);
    expect(await isolated.page.evaluate(() => crossOriginIsolated)).toBe(true);
    site.headers = {};
  });

  it('answers ranges and conditional requests, and keeps to its folders', async () => {
    const model = `${site.origin}/fixtures/tiny-backbone/model.onnx`;
    const whole = new Uint8Array(await (await fetch(model)).arrayBuffer());
    const part = await fetch(model, { headers: { range: 'bytes=100-199' } });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 100-199/${whole.length}`);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(whole.slice(100, 200));
    const etag = (await fetch(model)).headers.get('etag') ?? '';
    expect((await fetch(model, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await fetch(`${site.origin}/fixtures/%2e%2e/%2e%2e/package.json`)).status).toBe(404);
    expect((await fetch(`${site.origin}/nothing.js`)).status).toBe(404);
  });

  it('has WebGPU through SwiftShader, and a camera that is refused until it is granted', async () => {
    await using refused = await openPage(browser, `${site.origin}/bare`);
    const ask = () =>
      navigator.mediaDevices.getUserMedia({ video: true }).then(
        (stream) => stream.getVideoTracks().length,
        (error: DOMException) => error.name,
      );
    expect(await refused.page.evaluate(ask)).toBe('NotAllowedError');
    await using granted = await openPage(browser, `${site.origin}/bare`, { permissions: ['camera'] });
    expect(await granted.page.evaluate(ask)).toBe(1);
    expect(
      await granted.page.evaluate(async () => {
        const { gpu } = navigator as Navigator & { gpu: { requestAdapter(): Promise<object | null> } };
        return (await gpu.requestAdapter()) !== null;
      }),
    ).toBe(true);
  });

  it('is offline after close, and back after reopen', async () => {
    await using other = await serve({ '/': () => ({ body: 'here' }) });
    const { origin } = other;
    await other.close();
    await expect(fetch(origin)).rejects.toThrow();
    await other.reopen();
    expect(other.origin).toBe(origin);
    expect(await (await fetch(origin)).text()).toBe('here');
  });
});
