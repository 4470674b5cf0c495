/**
 * A page that stays open and holds ONNX Runtime compiled. Pages that it opens share its process, as an app's tabs may: a
 * classifier opens there in a third of the time. Everything that an origin stores is cleared when one of them closes.
 */

import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { root } from './build-page.ts';
import type { Site } from './serve.ts';

const ENGINE = '/home-engine';

export class HomePage implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly #page: Page;

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.#page = page;
  }

  static async open(browser: Browser, site: Site): Promise<HomePage> {
    site.routes.set(ENGINE, path.join(root, 'packages/web/dist/assets'));
    const context = await browser.newContext();
    const page = await context.newPage();
    // Any document of the origin does, one that says that there is none too.
    await page.goto(`${site.origin}${ENGINE}/none`);
    await page.evaluate(async (url) => {
      const stream = (await fetch(url)).body!.pipeThrough(new DecompressionStream('gzip'));
      Object.assign(globalThis, { engine: await WebAssembly.compile(await new Response(stream).arrayBuffer()) });
    }, `${ENGINE}/ort-wasm-simd-threaded.wasm.gz`);
    return new HomePage(context, page);
  }

  /** An empty page in this page's process, until it goes to another site. */
  async newPage(): Promise<Page> {
    const [page] = await Promise.all([
      this.context.waitForEvent('page'),
      this.#page.evaluate(() => void window.open('about:blank')),
    ]);
    return page;
  }

  /** Forgets what pages of this origin stored, and their service workers. */
  async clear(): Promise<void> {
    const session = await this.context.newCDPSession(this.#page);
    const { origin } = new URL(this.#page.url());
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
    await session.detach();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.context.close();
  }
}
