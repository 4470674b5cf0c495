/** What a visitor of a page with the embedded backbone really downloads: from where, and how much. */

import { statSync } from 'node:fs';
import path from 'node:path';
import type { CreateClassifierOptions } from '@imprint/web';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPage, root, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

const embeddedBytes = ['model.onnx', 'manifest.json']
  .map((name) => statSync(path.join(root, 'models/imprint-tiny', name)).size)
  .reduce((sum, size) => sum + size);

const MOST_BYTES = 15e6;
const MOST_ASSET_BYTES = 25 * 2 ** 20;

describeInBrowser('the first visit', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium({ webgpu: true });
    built = await buildPage();
    site = await serve(built.routes, { headers: { ...STRICT_CSP } });
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  /** Bytes that a visitor downloads until the classifier is there; nothing of it from elsewhere, nothing missing. */
  async function visit(options: CreateClassifierOptions, backbone: string): Promise<number> {
    site.served.length = 0;
    await using open = await openPage(browser, site.origin);
    const report = await open.page.evaluate(async (options) => {
      const classifier = await globalThis.imprint.createClassifier(options);
      const report = { ...classifier.device, backbone: classifier.identity.name };
      await classifier.dispose();
      return report;
    }, options);
    expect(report).toMatchObject({ device: options.device, backbone });
    const sizes = site.served.map(({ sizeBytes }) => sizeBytes);
    expect(site.served.map(({ status }) => status)).toEqual(sizes.map(() => 200));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MOST_ASSET_BYTES);
    expect(open.strangers()).toEqual([]);
    expect(open.complaints).toEqual([]);
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  const told = (device: string, bytes: number) =>
    console.log(`first visit, ${device}: ${(bytes / 1e6).toFixed(2)} MB, nothing compressed by the server`);

  it('on WASM downloads less than 15 MB without any compression by the server', async () => {
    const bytes = await visit({ device: 'wasm' }, 'imprint-tiny');
    told('WASM', bytes);
    expect(bytes).toBeGreaterThan(embeddedBytes);
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
  });

  it('on WebGPU downloads one engine only, and with the embedded backbone less than 15 MB', async () => {
    // SwiftShader would take half a minute over the embedded backbone: its files are counted, another one is run.
    const tiny = { device: 'webgpu', backbone: '/fixtures/tiny-backbone/manifest.json' } as const;
    const bytes = (await visit(tiny, 'tiny-backbone')) + embeddedBytes;
    told('WebGPU', bytes);
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
    expect(site.served.filter(({ url }) => url.includes('.wasm'))).toHaveLength(1);
  });
});
