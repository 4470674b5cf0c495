/** A static server on loopback for pages under test: MIME types, ranges, chosen headers, every request kept. */

import { createReadStream, realpathSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const MIME: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.svg': 'image/svg+xml',
  '.ico': 'image/x-icon',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.txt': 'text/plain; charset=utf-8',
};

/** Makes a page cross-origin isolated, so that WASM may use threads. */
export const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
} as const;

/** The strictest policy under which WASM runs at all: no eval, no inline script, this origin only. */
export const STRICT_CSP = {
  'content-security-policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
    "img-src 'self' blob: data:; media-src 'self' blob: mediastream:; style-src 'self'; manifest-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body: string | Uint8Array;
}

/** A folder, or a function that answers (undefined: not found). */
export type Route = string | ((request: IncomingMessage, url: URL) => Answer | undefined | Promise<Answer | undefined>);

export interface Served {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly status: number;
  /** Bytes of the answer on the wire, headers and body. */
  readonly sizeBytes: number;
}

export interface Site extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`: a secure context, as loopback is. */
  readonly origin: string;
  /** By path prefix, the longest first; `/x` serves `/x` and what is under `/x/`. May be changed while pages are open. */
  readonly routes: Map<string, Route>;
  /** Sent with every answer. May be changed while pages are open. */
  headers: Record<string, string>;
  /** Every request answered so far, in order. */
  readonly served: Served[];
  /** Ends the server and every connection to it: what a page then sees is being offline. Idempotent. */
  close(): Promise<void>;
  /** Listens again on the same port after `close`. */
  reopen(): Promise<void>;
}

/** Serves `routes`, by default on a free port. */
export async function serve(
  routes: Record<string, Route>,
  options: { readonly headers?: Record<string, string> } = {},
): Promise<Site> {
  const served: Served[] = [];
  const table = new Map(Object.entries(routes));
  let port = 0;
  let server: ReturnType<typeof createServer> | undefined;

  async function open(): Promise<void> {
    server = createServer((request, response) => {
      const { socket } = request;
      const before = socket.bytesWritten;
      response.on('finish', () =>
        served.push({
          method: request.method ?? 'GET',
          url: request.url ?? '/',
          status: response.statusCode,
          sizeBytes: socket.bytesWritten - before,
        }),
      );
      answer(table, site.headers, request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
    await new Promise<void>((resolve, reject) => {
      server?.once('error', reject);
      server?.listen(port, '127.0.0.1', resolve);
    });
    port = (server.address() as AddressInfo).port;
  }

  async function close(): Promise<void> {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    closing.closeAllConnections();
    await new Promise<void>((resolve) => closing.close(() => resolve()));
  }

  const site: Site = {
    get origin() {
      return `http://127.0.0.1:${port}`;
    },
    routes: table,
    headers: { ...options.headers },
    served,
    close,
    reopen: open,
    [Symbol.asyncDispose]: close,
  };
  await open();
  return site;
}

async function answer(
  routes: ReadonlyMap<string, Route>,
  headers: Record<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const pathname = decodeURIComponent(url.pathname);
  const prefixes = [...routes.keys()].sort((a, b) => b.length - a.length);
  for (const prefix of prefixes) {
    const base = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
    if (pathname !== base && !pathname.startsWith(`${base}/`)) continue;
    const route = routes.get(prefix);
    if (typeof route === 'string') {
      const file = fileIn(route, pathname.slice(base.length));
      if (file === undefined) continue;
      sendFile(file, headers, request, response);
      return;
    }
    const given = await route?.(request, url);
    if (given === undefined) continue;
    const body = Buffer.from(given.body);
    const type = { 'content-type': MIME[path.extname(pathname)] ?? MIME['.html'] };
    const length = { 'content-length': String(body.length) };
    response.writeHead(given.status ?? 200, { ...type, ...headers, ...given.headers, ...length });
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  const missing = Buffer.from(`Not found: ${pathname}\n`);
  response.writeHead(404, { ...headers, 'content-type': MIME['.txt'], 'content-length': String(missing.length) });
  response.end(missing);
}

/** The file that a path names inside `folder`, an index.html for a folder; never one outside. */
function fileIn(folder: string, relative: string): string | undefined {
  const file = path.join(folder, relative);
  try {
    const stats = statSync(file);
    const found = stats.isDirectory() ? path.join(file, 'index.html') : file;
    const inside = path.relative(realpathSync(folder), realpathSync(found));
    return inside.startsWith('..') || !statSync(found).isFile() ? undefined : found;
  } catch {
    return undefined;
  }
}

function sendFile(
  file: string,
  headers: Record<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { size, mtimeMs } = statSync(file);
  const all = {
    'content-type': MIME[path.extname(file)] ?? 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    etag: `"${size}-${Math.round(mtimeMs)}"`,
    ...headers,
  };
  if (request.headers['if-none-match'] === all.etag) {
    response.writeHead(304, all).end();
    return;
  }
  const asked = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  let [from, to, status] = [0, size - 1, 200];
  if (asked !== null && (asked[1] !== '' || asked[2] !== '')) {
    from = asked[1] === '' ? Math.max(0, size - Number(asked[2])) : Number(asked[1]);
    to = asked[1] === '' || asked[2] === '' ? size - 1 : Math.min(Number(asked[2]), size - 1);
    if (from > to) {
      response.writeHead(416, { ...all, 'content-range': `bytes */${size}` }).end();
      return;
    }
    status = 206;
  }
  const range = status === 206 ? { 'content-range': `bytes ${from}-${to}/${size}` } : {};
  response.writeHead(status, { ...all, ...range, 'content-length': String(to - from + 1) });
  if (request.method === 'HEAD' || size === 0) response.end();
  else createReadStream(file, { start: from, end: to }).pipe(response);
}
