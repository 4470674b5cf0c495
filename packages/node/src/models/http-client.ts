/** HTTP for downloads: proxies from the environment, few and safe redirects, bounded retries that honour Retry-After. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ImprintError, type AbortSignalLike } from '@imprint/core';
import type * as Undici from 'undici';
import type { EnvHttpProxyAgent } from 'undici';
import { hostSignal } from '../host-signal.ts';
import type { Environment } from './model-cache.ts';

const MAX_REDIRECTS = 5;
/** Attempts without a byte of progress before a request is given up. */
const MAX_ATTEMPTS = 5;
const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;
/** A server that asks for a longer pause than this is told to the person instead of waited for. */
const LONGEST_RETRY_AFTER_MS = 60_000;

export interface HttpOptions {
  /** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, in either case. Default: process.env. */
  readonly environment?: Environment;
  /** Longest silence of a server, in milliseconds. Default 30,000. */
  readonly stallMs?: number;
  /** The first pause before a retry, in milliseconds; it doubles each time. Default 500. */
  readonly backoffMs?: number;
}

/** Of undici's body what is used here: its types ask for Node's, which a program may not have. */
export interface ResponseBody extends AsyncIterable<Uint8Array> {
  dump(options: { limit: number }): Promise<unknown>;
  on(event: 'error', listener: () => void): this;
  destroy(): this;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ResponseBody;
  /** Where the redirects ended. */
  readonly url: string;
}

/** A failure that may pass: the network, a busy server. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number, options?: { cause?: unknown }) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** `Retry-After` in milliseconds: a number of seconds, or a date. */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** The sentence that ends a download: what was asked for, what came, what to do. */
export function downloadFailed(url: string, got: string, next: string, cause?: unknown): ImprintError {
  return new ImprintError('DOWNLOAD_FAILED', `Expected to download ${url}, got ${got}. ${next}`, { cause });
}

function firstHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const single: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) single[name] = Array.isArray(value) ? value[0] : value;
  }
  return single;
}

/** Throws what a status means: TransientError where another attempt may help, else DOWNLOAD_FAILED. */
function checkStatus(response: HttpResponse): void {
  const { status, url } = response;
  if (status === 200 || status === 206 || status === 416) return;
  if (status === 408 || status === 429 || status >= 500) {
    throw new TransientError(`status ${status}`, retryAfterMs(response.headers['retry-after']));
  }
  const next =
    status === 404
      ? 'The file is not there (any more): check the name, the revision, and IMPRINT_HUB_URL.'
      : status === 401 || status === 403 || status === 407
        ? 'The server or a proxy asks for a login: download the file by hand and pass its path instead of a name.'
        : 'Try again later, or download the file by hand and pass its path.';
  throw downloadFailed(url, `status ${status}`, next);
}

export class HttpClient {
  readonly #agentOptions: EnvHttpProxyAgent.Options;
  /** undici takes 75 ms to load, and most programs download nothing. */
  #opened: Promise<{ readonly request: typeof Undici.request; readonly agent: EnvHttpProxyAgent }> | undefined;
  readonly #backoffMs: number;

  constructor(options: HttpOptions = {}) {
    const { environment = process.env, stallMs = 30_000, backoffMs = FIRST_BACKOFF_MS } = options;
    this.#backoffMs = backoffMs;
    const variable = (name: string): string => environment[name.toLowerCase()] || environment[name] || '';
    this.#agentOptions = {
      // Empty texts, not undefined: undici would read process.env behind the caller's back.
      httpProxy: variable('HTTP_PROXY'),
      httpsProxy: variable('HTTPS_PROXY') || variable('HTTP_PROXY'),
      noProxy: variable('NO_PROXY'),
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      connect: { timeout: Math.min(stallMs, 15_000) },
    };
  }

  async #open(): Promise<{ readonly request: typeof Undici.request; readonly agent: EnvHttpProxyAgent }> {
    const { request, EnvHttpProxyAgent } = await import('undici');
    return { request, agent: new EnvHttpProxyAgent(this.#agentOptions) };
  }

  /**
   * Sends a GET and follows up to five redirects, never from https to http.
   * The caller reads or destroys the body.
   * @throws TransientError, DOWNLOAD_FAILED, or the signal's reason
   */
  async open(address: string, headers: Record<string, string>, signal?: AbortSignalLike): Promise<HttpResponse> {
    let url = parseUrl(address);
    for (let hop = 0; ; hop++) {
      const { status, headers: got, body } = await this.#send(url, headers, signal);
      const response: HttpResponse = { status, headers: got, body, url: url.href };
      if (![301, 302, 303, 307, 308].includes(status)) {
        try {
          checkStatus(response);
        } catch (error) {
          await body.dump({ limit: 4096 }).catch(() => undefined);
          throw error;
        }
        return response;
      }
      await body.dump({ limit: 4096 }).catch(() => undefined);
      const location = got['location'];
      if (location === undefined) throw downloadFailed(url.href, 'a redirect to nowhere', 'Try again later.');
      if (hop === MAX_REDIRECTS) {
        throw downloadFailed(
          address,
          `more than ${MAX_REDIRECTS} redirects`,
          'Check IMPRINT_HUB_URL, or whether a login page is in the way.',
        );
      }
      const target = parseUrl(location, url);
      if (url.protocol === 'https:' && target.protocol === 'http:') {
        throw downloadFailed(
          url.href,
          `a redirect to the unprotected ${target.href}`,
          'Something on the way meddles with the connection: try another network.',
        );
      }
      url = target;
    }
  }

  async #send(
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignalLike | undefined,
  ): Promise<{ status: number; headers: Record<string, string>; body: ResponseBody }> {
    const { request, agent } = await (this.#opened ??= this.#open());
    try {
      const response = await request(url, {
        dispatcher: agent,
        // Compressed bytes would make lengths and ranges speak of something else than the file.
        headers: { 'accept-encoding': 'identity', 'user-agent': 'imprint', ...headers },
        ...hostSignal(signal),
      });
      return { status: response.statusCode, headers: firstHeaders(response.headers), body: response.body };
    } catch (cause) {
      signal?.throwIfAborted();
      throw new TransientError(cause instanceof Error ? cause.message : String(cause), undefined, { cause });
    }
  }

  /**
   * Runs `attempt` until it succeeds, with growing pauses after transient failures.
   * @param progress a number that grows while there is progress; as long as it does, attempts are not counted
   * @throws DOWNLOAD_FAILED after five attempts without progress, what `attempt` throws, or the signal's reason
   */
  async withRetries<T>(
    url: string,
    attempt: () => Promise<T>,
    progress: () => number,
    signal?: AbortSignalLike,
  ): Promise<T> {
    let failures = 0;
    let reached = progress();
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TransientError)) throw error;
        if (progress() > reached) failures = 0;
        reached = Math.max(reached, progress());
        failures++;
        const asked = error.retryAfterMs;
        if (failures >= MAX_ATTEMPTS || (asked !== undefined && asked > LONGEST_RETRY_AFTER_MS)) {
          const wait = asked === undefined ? '' : ` The server asks to wait ${Math.ceil(asked / 1000)} seconds.`;
          const next = `${failures} ${failures === 1 ? 'attempt' : 'attempts'} failed. Check the network and the proxy variables, then try again: what has arrived is kept.${wait}`;
          throw downloadFailed(url, error.message, next, error);
        }
        const backoffMs = Math.min(this.#backoffMs * 2 ** (failures - 1), LONGEST_BACKOFF_MS);
        // A random half keeps many clients of a busy server from coming back in step.
        await sleep(asked ?? backoffMs * (0.5 + Math.random() / 2), undefined, hostSignal(signal)).catch(
          () => undefined,
        );
      }
    }
  }

  /** Reads a small JSON document, at most 4 MiB. */
  async json(url: string, signal?: AbortSignalLike): Promise<unknown> {
    const attempt = async (): Promise<unknown> => {
      const { body, headers } = await this.open(url, { accept: 'application/json' }, signal);
      const chunks: Buffer[] = [];
      let length = 0;
      try {
        for await (const chunk of body) {
          length += (chunk as Buffer).length;
          if (length > 4 * 2 ** 20)
            throw downloadFailed(url, 'more than 4 MiB where a short JSON text belongs', 'Check IMPRINT_HUB_URL.');
          chunks.push(chunk as Buffer);
        }
      } catch (cause) {
        if (cause instanceof ImprintError || signal?.aborted) throw cause;
        throw new TransientError(cause instanceof Error ? cause.message : String(cause), undefined, { cause });
      }
      try {
        return JSON.parse(Buffer.concat(chunks).toString('utf8'));
      } catch (cause) {
        throw downloadFailed(
          url,
          `no JSON but ${headers['content-type'] ?? 'something else'}`,
          'Check IMPRINT_HUB_URL, or whether a login page is in the way.',
          cause,
        );
      }
    };
    return this.withRetries(url, attempt, () => 0, signal);
  }

  /** Closes idle connections. */
  async close(): Promise<void> {
    await (await this.#opened)?.agent.destroy();
  }
}

function parseUrl(address: string, base?: URL): URL {
  const url = URL.canParse(address, base?.href) ? new URL(address, base?.href) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw downloadFailed(address, 'an address that is not http or https', 'Check IMPRINT_HUB_URL.');
  }
  return url;
}
