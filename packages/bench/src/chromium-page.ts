/** A page of the installed Chromium for the tables: a module bundled by Vite, served from loopback under a strict policy. */

import { createReadStream, existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { build } from 'vite';

/** The repository's folder. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const MIME: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
};
/** What a careful site sends: no eval, this origin alone, and WebAssembly; isolated, so that WASM may use threads. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' blob: data:; img-src 'self' blob: data:",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
  // Containers often give /dev/shm only 64 MB.
  '--disable-dev-shm-usage',
];

export interface ChromiumPageOptions {
  /** Folders served beside the page, by path prefix: `{ '/photos': folder }`. */
  readonly folders?: Readonly<Record<string, string>>;
  /** Answers other than the strict ones, for peers that need more. */
  readonly headers?: Readonly<Record<string, string>>;
  /** More arguments for the browser, such as `--enable-unsafe-webgpu`. */
  readonly args?: readonly string[];
}

export interface ChromiumPage extends AsyncDisposable {
  readonly page: Page;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** The browser's version. */
  readonly version: string;
}

/**
 * Bundles the module `source` (it can import what the bench can), opens it in Chromium, and waits for its load.
 * The caller disposes it. CHROME_PATH names a browser that is not in the usual places.
 */
export async function openChromiumPage(source: string, options: ChromiumPageOptions = {}): Promise<ChromiumPage> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const dist = await bundle(source, closers);
    const server = serve({ ...options.folders, '/': dist }, { ...HEADERS, ...options.headers });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    });
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const args = [...ARGUMENTS, ...(options.args ?? [])];
    const browser = await chromium.launch({ executablePath: chromiumProgram(), args });
    closers.push(() => browser.close());
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.message}`));
    await page.goto(`${origin}/`);
    return { page, origin, version: browser.version(), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The folder of the bundled page, inside the repository, so that imports resolve as an app's do; git does not see it. */
async function bundle(source: string, closers: (() => Promise<unknown>)[]): Promise<string> {
  const home = path.join(root, 'node_modules/.cache/imprint-bench');
  await mkdir(home, { recursive: true });
  const folder = await mkdtemp(path.join(home, 'page-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const html =
    '<!doctype html><html lang="en"><title>Bench</title><link rel="icon" href="data:,"><script type="module" src="./main.js"></script></html>';
  await writeFile(path.join(folder, 'index.html'), html);
  await writeFile(path.join(folder, 'main.js'), source);
  const outDir = path.join(folder, 'dist');
  await build({ root: folder, configFile: false, logLevel: 'error', build: { outDir, chunkSizeWarningLimit: 1e6 } });
  return outDir;
}

function chromiumProgram(): string {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const candidates = [
    ...(process.env['CHROME_PATH'] ? [process.env['CHROME_PATH']] : []),
    ...folders.flatMap((folder) => PROGRAMS.map((name) => path.join(folder, name))),
    chromium.executablePath(),
  ];
  const found = candidates.find((file) => existsSync(file));
  if (found === undefined) throw new Error('Expected a Chromium or Chrome, got none. Set CHROME_PATH to its program.');
  return found;
}

function serve(folders: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>>) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  return createServer((request, response) => {
    const pathname = decodeURIComponent(new URL(request.url ?? '/', 'http://127.0.0.1').pathname);
    const prefix = prefixes.find((each) => pathname === each || pathname.startsWith(each.replace(/\/?$/, '/')));
    const folder = path.resolve(folders[prefix ?? '/']);
    const named = path.join(folder, pathname.slice((prefix ?? '/').length));
    const file = pathname.endsWith('/') ? path.join(named, 'index.html') : named;
    if (!file.startsWith(folder + path.sep) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404, { ...headers, 'content-type': 'text/plain' }).end(`Not found: ${pathname}\n`);
      return;
    }
    const type = MIME[path.extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { ...headers, 'content-type': type, 'content-length': String(statSync(file).size) });
    createReadStream(file).pipe(response);
  });
}
