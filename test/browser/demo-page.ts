/** The demo as its tests see it: served with its own headers, used by roles and names. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Download, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { HEADERS } from '../../packages/demo/headers.mjs';
import { root } from './build-page.ts';
import { openPage, type OpenOptions, type OpenPage } from './open-page.ts';
import type { PictureFile } from './drawn-pictures.ts';
import { serve, type Site } from './serve.ts';

export interface DemoSite extends AsyncDisposable {
  readonly site: Site;
  /** Where the built page lies. */
  readonly folder: string;
}

/** Serves a copy of the built demo: some tests change it. The package must be built: `npm run build`. */
export async function serveDemo(): Promise<DemoSite> {
  const folder = temporary('demo-');
  cpSync(path.join(root, 'packages/demo/dist'), folder, { recursive: true });
  const site = await serve({ '/': folder }, { headers: { ...HEADERS } });
  return {
    site,
    folder,
    async [Symbol.asyncDispose]() {
      await site.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A folder inside the repository that git does not see. */
export function temporary(prefix: string): string {
  const home = path.join(root, 'node_modules/.cache/imprint-pages');
  mkdirSync(home, { recursive: true });
  return mkdtempSync(path.join(home, prefix));
}

/** One of two things that any backbone tells apart: `variant` moves and turns it, `shade` changes its colour a little. */
async function thing(kind: 'sun' | 'ladder', variant: number, shade = 2 * variant): Promise<PictureFile> {
  const [x, y] = [((variant * 7) % 11) - 5, ((variant * 5) % 9) - 4];
  const angle = ((variant * 13) % 17) - 8;
  const sun = `<circle r="38" fill="hsl(${40 + shade} 90% 55%)"/>${Array.from(
    { length: 10 },
    (_, i) => `<rect x="-4" y="-68" width="8" height="20" fill="#e08a1e" transform="rotate(${i * 36})"/>`,
  ).join('')}`;
  const rungs = Array.from({ length: 5 }, (_, i) => `<rect x="-26" y="${i * 26 - 56}" width="52" height="8"/>`);
  const ladder = `<g fill="hsl(${215 + shade} 40% 32%)"><rect x="-34" y="-70" width="9" height="140"/>
    <rect x="25" y="-70" width="9" height="140"/>${rungs.join('')}</g>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="192" height="192"><rect width="192" height="192"
    fill="hsl(${200 + variant * 3} 25% 94%)"/><g transform="translate(${96 + x} ${96 + y}) rotate(${angle})">${
      kind === 'sun' ? sun : ladder
    }</g></svg>`;
  const buffer = await sharp(Buffer.from(svg)).png().toBuffer();
  return { name: `${kind}-${variant}.png`, mimeType: 'image/png', buffer };
}

/** Eight of each kind to learn from, and another of each to ask about. */
export async function drawThings() {
  const eight = (kind: 'sun' | 'ladder') => Promise.all(Array.from({ length: 8 }, (_, i) => thing(kind, i)));
  const [sun, ladder, newSun, newLadder] = [eight('sun'), eight('ladder'), thing('sun', 3, 9), thing('ladder', 3, 9)];
  return { sun: await sun, ladder: await ladder, another: { sun: await newSun, ladder: await newLadder } };
}

/** Writes pictures as `folder/<class>/<name>`. */
export function writeClassFolders(folder: string, classes: Readonly<Record<string, readonly PictureFile[]>>): void {
  for (const [label, files] of Object.entries(classes)) {
    mkdirSync(path.join(folder, label), { recursive: true });
    for (const { name, buffer } of files) writeFileSync(path.join(folder, label, name), buffer);
  }
}

/** The page with its classifier ready. */
export async function openDemo(browser: Browser, { site }: DemoSite, options: OpenOptions = {}): Promise<OpenPage> {
  const open = await openPage(browser, `${site.origin}/`, options);
  open.page.setDefaultTimeout(90_000);
  await ready(open.page);
  return open;
}

export async function ready(page: Page): Promise<void> {
  await page.getByText(/^(WASM|WebGPU)/).waitFor();
}

/** The card of a class. */
export function card(page: Page, label: string): Locator {
  return page.locator(`[data-class="${label}"]`);
}

/** Labels and counts as the cards show them. */
export function shownClasses(page: Page): Promise<Record<string, number>> {
  // In one step: of a list read card by card, one may be gone before it is read.
  return page
    .locator('[data-class]')
    .evaluateAll((cards) =>
      Object.fromEntries(
        cards.map((one) => [one.getAttribute('data-class')!, Number(one.querySelector('.count')?.textContent)]),
      ),
    );
}

/** Files through the picker that a button opens. */
export async function pick(page: Page, button: Locator, files: readonly PictureFile[] | string): Promise<void> {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), button.click()]);
  await chooser.setFiles(typeof files === 'string' ? files : [...files]);
}

/** Learns classes from pictures, each through the fields and buttons that a person uses. */
export async function learn(page: Page, classes: Readonly<Record<string, readonly PictureFile[]>>): Promise<void> {
  const folder = temporary('folders-');
  try {
    writeClassFolders(folder, classes);
    await pick(page, page.getByRole('button', { name: /a whole folder|choose a folder/ }), folder);
    const labels = Object.keys(classes);
    await page
      .getByText(new RegExp(`added to (${labels.length} classes|“${labels[0]}”)`))
      .first()
      .waitFor();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The answer to a picture: `Leaf`, or `Unknown`. */
export async function ask(page: Page, picture: PictureFile): Promise<string> {
  await pick(page, page.getByRole('button', { name: 'Choose picture' }), [picture]);
  await page.getByAltText(`The picture asked about: ${picture.name}`).waitFor();
  return verdict(page);
}

/** What the page takes its subject for, once it has an answer. */
export async function verdict(page: Page): Promise<string> {
  const text = await page.locator('.verdict-label').innerText();
  return text.replace(/\s*[<>]?\s*\d+ %$/, '').trim();
}

/** The bytes of the file that the button "Save" gives. */
export async function saved(page: Page): Promise<Buffer> {
  const [download] = await Promise.all([
    page.waitForEvent('download') as Promise<Download>,
    page.getByRole('button', { name: 'Save', exact: true }).click(),
  ]);
  return readFileSync(await download.path());
}
