/** The demo as an installed app: kept by its service worker, complete without a network, nothing loaded twice. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { POLICY } from '../../packages/demo/headers.mjs';
import { ask, drawThings, learn, openDemo, ready, saved, serveDemo, shownClasses, type DemoSite } from './demo-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';

const MOST_BYTES = 15e6;

interface AppManifest {
  readonly start_url: string;
  readonly display: string;
  readonly icons: readonly { src: string; sizes: string; type: string; purpose: string }[];
}

// A page, a model and an engine for every test, on a machine that runs other tests beside.
vi.setConfig({ testTimeout: 180_000 });
const PATIENT = { timeout: 60_000 };

describeInBrowser('the demo without a network', () => {
  let browser: Browser;
  let demo: DemoSite;

  beforeAll(async () => {
    [browser, demo] = await Promise.all([launchChromium(), serveDemo()]);
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  });

  it('is complete after the first visit: a reload knows, answers and learns with the server gone', async () => {
    const { site } = demo;
    const things = await drawThings();
    await using open = await openDemo(browser, demo);
    const { page, context } = open;
    await page.getByText('Works offline').waitFor();
    // A visit in all, the service worker's part with it; nothing of WebGPU where that is not used.
    const total = site.served.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    console.log(`demo, first visit: ${(total / 1e6).toFixed(2)} MB in ${site.served.length} answers`);
    expect(total).toBeLessThanOrEqual(MOST_BYTES);
    expect(site.served.filter(({ url }) => /jspi|asyncify|webgpu/.test(url))).toEqual([]);
    const large = site.served.filter(({ status, sizeBytes }) => status === 200 && sizeBytes > 1e6);
    expect(large.map(({ url }) => url)).toEqual([...new Set(large.map(({ url }) => url))]);

    await learn(page, { sun: things.sun, ladder: things.ladder });
    const before = await saved(page);
    await context.setOffline(true);
    await site.close();
    try {
      await page.reload();
      await ready(page);
      await expect.poll(() => shownClasses(page), PATIENT).toEqual({ ladder: 8, sun: 8 });
      expect((await saved(page)).equals(before)).toBe(true);
      await page.getByText('Offline', { exact: true }).waitFor();
      expect(await ask(page, things.another.sun)).toBe('sun');
      // Thumbnails too were kept.
      expect(await page.locator('.thumbs img').count()).toBe(16);
      await page.getByRole('button', { name: 'More for ladder' }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
      await expect.poll(() => shownClasses(page), PATIENT).toEqual({ sun: 8 });
    } finally {
      await site.reopen();
      await context.setOffline(false);
    }
    expect(open.strangers()).toEqual([]);
    expect(open.complaints).toEqual([]);
  });

  it('mends itself where a wrong file was kept: another try lets go of it, and of nothing that was learned', async () => {
    await using open = await openDemo(browser, demo);
    const { page } = open;
    await page.getByText('Works offline').waitFor();
    await page.getByRole('button', { name: 'Try a sample' }).click();
    await page.getByText('3 classes learned').waitFor();
    // As a server of a single-page app answers for a file that it does not have.
    const spoilt = await page.evaluate(async () => {
      let count = 0;
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
          if (!request.url.includes('.onnx')) continue;
          await cache.put(request, new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }));
          count++;
        }
      }
      return count;
    });
    expect(spoilt).toBe(1);
    await page.reload();
    await page.getByRole('alert').getByText('got an HTML page', { exact: false }).waitFor(PATIENT);
    await page.getByRole('button', { name: 'Try again' }).click();
    await ready(page);
    await expect.poll(() => shownClasses(page), PATIENT).toEqual({ Fish: 8, Leaf: 8, Mug: 8 });
    await page.getByText('Works offline').waitFor();
  });

  it('offers a new version quietly, and is that version after the reload', async () => {
    await using open = await openDemo(browser, demo);
    const { page } = open;
    await page.getByText('Works offline').waitFor();
    await page.reload();
    await ready(page);
    const script = path.join(demo.folder, 'sw.js');
    writeFileSync(script, `${readFileSync(script, 'utf8')}\n// another version\n`);
    await page.evaluate(async () => void (await navigator.serviceWorker.getRegistration())?.update());
    await page.getByText('A new version is here.').waitFor();
    const reloaded = page.waitForEvent('load');
    await page.getByRole('button', { name: 'Reload' }).click();
    await reloaded;
    await ready(page);
    const waiting = await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.waiting ?? null);
    expect(waiting).toBeNull();
    expect(open.complaints).toEqual([]);
  });

  it('can be installed: its manifest names icons of the sizes that they have', async () => {
    const manifest = JSON.parse(readFileSync(path.join(demo.folder, 'manifest.webmanifest'), 'utf8')) as AppManifest;
    expect(manifest).toMatchObject({ start_url: './', display: 'standalone' });
    for (const { src, sizes, type } of manifest.icons) {
      const file = path.join(demo.folder, src);
      if (type === 'image/svg+xml') {
        expect(readFileSync(file, 'utf8')).toContain('<svg');
        continue;
      }
      const { width, height } = await sharp(file).metadata();
      expect(`${width}x${height}`).toBe(sizes);
    }
    expect(manifest.icons.map(({ sizes, purpose }) => `${sizes} ${purpose}`)).toEqual(
      expect.arrayContaining(['192x192 any', '512x512 any', '512x512 maskable']),
    );
  });

  it('states the strict policy in its page as well, and has no inline script, handler or style', () => {
    const html = readFileSync(path.join(demo.folder, 'index.html'), 'utf8').replaceAll('&#39;', "'");
    expect(html).toContain(`content="${POLICY}"`);
    expect(POLICY).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|<style/);
    // Comes before anything that it governs.
    expect(html.indexOf('Content-Security-Policy')).toBeLessThan(html.indexOf('<script'));
  });

  it('has no file over 25 MiB', () => {
    const sizes = readdirSync(demo.folder, { recursive: true, encoding: 'utf8' }).map(
      (name) => statSync(path.join(demo.folder, name)).size,
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(25 * 2 ** 20);
  });
});
