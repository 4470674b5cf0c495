/** A page in a context of its own, with everything it complained of and everything it asked for. */

import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { HomePage } from './home-page.ts';

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Console errors and warnings, uncaught exceptions, CSP violations: in a sound test, none. */
  readonly complaints: string[];
  /** URLs of every request of the page and its workers. */
  readonly requests: string[];
  /** Requests to another origin than the page's: there must be none. `blob:` and `data:` are nobody's. */
  strangers(): string[];
}

export interface OpenOptions extends BrowserContextOptions {
  /** A context to open one more tab in; it stays open when the tab is closed. */
  readonly context?: BrowserContext;
  /** Whose process and context to share; what was stored is cleared when the page is closed, unless `context` is given too. */
  readonly home?: HomePage;
}

/** Opens `url` and waits until it has loaded. `await using` closes it. */
export async function openPage(browser: Browser, url: string, options: OpenOptions = {}): Promise<OpenPage> {
  const { context: shared, home, ...contextOptions } = options;
  const context = home?.context ?? shared ?? (await browser.newContext(contextOptions));
  const page = await (home ?? context).newPage();
  if (home !== undefined) {
    const { viewport, colorScheme, ...rest } = contextOptions;
    if (Object.keys(rest).length > 0) throw new Error(`A page at home cannot have ${Object.keys(rest).join(', ')}.`);
    if (viewport) await page.setViewportSize(viewport);
    if (colorScheme) await page.emulateMedia({ colorScheme });
  }
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('crash', () => complaints.push('the page crashed'));
  page.on('request', (request) => requests.push(request.url()));
  await page.addInitScript(() => {
    // Chromium reports some violations to the console only as an issue; the event has them all.
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(url);
  const { origin } = new URL(url);
  const close = async () => {
    if (home === undefined && shared === undefined) return context.close();
    await page.close();
    if (shared === undefined) await home?.clear();
  };
  return {
    page,
    context,
    complaints,
    requests,
    strangers: () => requests.filter((item) => /^(https?|wss?):/.test(item) && new URL(item).origin !== origin),
    [Symbol.asyncDispose]: close,
  };
}
