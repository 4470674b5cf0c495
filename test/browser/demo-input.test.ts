/** The demo by keyboard alone, by camera, on a narrow screen, and by the names that a screen reader says. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { card, openDemo, serveDemo, shownClasses, type DemoSite } from './demo-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';

// A page, a model and an engine for every test, on a machine that runs other tests beside.
vi.setConfig({ testTimeout: 180_000 });
const PATIENT = { timeout: 60_000 };

describeInBrowser('the demo by keyboard and camera', () => {
  let browser: Browser;
  let demo: DemoSite;
  let home: HomePage;

  beforeAll(async () => {
    [browser, demo] = await Promise.all([launchChromium({ fakeCamera: true }), serveDemo()]);
    home = await HomePage.open(browser, demo.site);
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  });

  /** Tab until the focus is on what has this name. */
  async function tabTo(page: Page, name: string): Promise<void> {
    const passed: string[] = [];
    for (let step = 0; step < 60; step++) {
      const now = await page.evaluate(() => {
        const element = document.activeElement as HTMLInputElement | null;
        return element?.ariaLabel || element?.labels?.[0]?.textContent || element?.textContent?.trim() || '';
      });
      if (now === name) return;
      passed.push(now);
      await page.keyboard.press('Tab');
    }
    throw new Error(`Expected Tab to reach ${name}, it passed ${passed.join(' > ')}`);
  }

  it('begins with the camera, records while a key is held, answers live, renames and deletes, with the keyboard alone', async () => {
    await using open = await openDemo(browser, demo, { permissions: ['camera'] });
    const { page } = open;
    const { keyboard } = page;
    await tabTo(page, 'Use the camera');
    await keyboard.press('Enter');
    await card(page, 'Class 2').waitFor();
    expect(await shownClasses(page)).toEqual({ 'Class 1': 0, 'Class 2': 0 });

    for (const [label, key] of [
      ['Class 1', 'Space'],
      ['Class 2', 'Enter'],
    ] as const) {
      await tabTo(page, `Hold to record ${label} from the camera`);
      await keyboard.down(key);
      await card(page, label).getByText('Recording 2').waitFor();
      await keyboard.up(key);
      await page.getByText(`recorded for “${label}”`).waitFor();
    }
    const counts = await shownClasses(page);
    expect(Math.min(...Object.values(counts))).toBeGreaterThanOrEqual(2);
    await page.locator('.verdict-label').waitFor();
    await page.getByText(/\d+ ms an answer/).waitFor();

    await tabTo(page, 'More for Class 1');
    await keyboard.press('Enter');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent), PATIENT).toBe('Rename');
    await keyboard.press('ArrowUp');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Delete');
    await keyboard.press('Escape');
    expect(await page.evaluate(() => document.activeElement?.ariaLabel)).toBe('More for Class 1');
    await keyboard.press('Enter');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent), PATIENT).toBe('Rename');
    await keyboard.press('Enter');
    await page.getByLabel('New name for Class 1').waitFor();
    await keyboard.type('Dial');
    await keyboard.press('Enter');
    await expect
      .poll(() => shownClasses(page), PATIENT)
      .toEqual({ 'Class 2': counts['Class 2'], Dial: counts['Class 1'] });
    expect(open.complaints).toEqual([]);
  });

  it('says in a sentence that the camera was refused, and goes on without', async () => {
    await using open = await openDemo(browser, demo, { home });
    const { page } = open;
    await page.getByRole('button', { name: 'Use the camera' }).click();
    await page.getByRole('alert').getByText('Allow the camera for this page', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Try a sample' }).waitFor();
  });

  it.each([1280, 390])('gives everything a name and a role, and nothing overflows at %i pixels', async (width) => {
    await using open = await openDemo(browser, demo, { home, viewport: { width, height: 844 } });
    const { page } = open;
    expect(await page.getByRole('main').ariaSnapshot()).toMatch(
      /heading "Show it a few examples, and it knows them." \[level=1\]/,
    );
    await page.getByRole('button', { name: 'Try a sample' }).click();
    await page.getByText('3 classes learned').waitFor();
    await page.getByRole('button', { name: 'Ask about drawing 1' }).click();
    await page.locator('.verdict-label').waitFor();
    const tree = await page.locator('body').ariaSnapshot();
    for (const expected of [
      'heading "What it knows" [level=2]',
      'heading "What is this?" [level=2]',
      'listitem "Fish, 8 pictures"',
      'button "Hold to record Fish from the camera"',
      'button "More for Fish"',
      'textbox "New class"',
      'region "How sure"',
      'contentinfo "Status"',
    ]) {
      expect(tree).toContain(expected);
    }
    // Nothing that can be used or seen is without a name.
    expect(tree).not.toMatch(/^\s*- (button|textbox|combobox|link|img)\s*:?$/m);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    const outside = await page.evaluate(() =>
      [...document.querySelectorAll('main *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
        .map((element) => element.className.toString()),
    );
    expect(outside).toEqual([]);
    // Fingers need 44 pixels for what is used most.
    if (width === 390) {
      const heights = await page.locator('.card .button').evaluateAll((all) => all.map((one) => one.clientHeight + 2));
      expect(Math.min(...heights)).toBeGreaterThanOrEqual(44);
    }
    expect(open.complaints).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('has text of AA contrast in its %s colours', async (colorScheme) => {
    await using open = await openDemo(browser, demo, { home, colorScheme });
    const ratios = await open.page.evaluate(() => {
      const style = getComputedStyle(document.documentElement);
      const context = new OffscreenCanvas(1, 1).getContext('2d')!;
      const luminance = (name: string) => {
        context.fillStyle = style.getPropertyValue(name);
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = Array.from(context.getImageData(0, 0, 1, 1).data, (byte) => {
          const share = byte / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const pairs = ['ink paper', 'ink surface', 'muted paper', 'muted surface', 'muted sunken', 'accent paper'];
      pairs.push(
        'accent surface',
        'on-accent accent',
        'danger danger-soft',
        'danger surface',
        'record surface',
        'paper ink',
        'edge surface',
        'edge paper',
        'edge sunken',
      );
      return pairs.map((pair) => {
        const [a, b] = pair.split(' ').map((name) => luminance(`--${name}`));
        return { pair, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
      });
    });
    // The edge of a field and the bars are no text: WCAG asks 3 of them.
    const least = (pair: string) => (pair.startsWith('edge') ? 3 : 4.5);
    expect(ratios.filter(({ pair, ratio }) => ratio < least(pair))).toEqual([]);
  });
});
