/** A real HTTP server on loopback that speaks the hub's API and misbehaves on order. */

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the next request for the file gets; `undefined` is what a good server gives. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse, content: Buffer) => void | Promise<void>;

export const REVISION = 'c0ffee'.repeat(6).slice(0, 36) + 'beef';

export class HubServer {
  content: Buffer;
  etag = '"first"';
  /** What the API says; by default the truth. */
  declared: { size?: number; sha256?: string } = {};
  /** Taken one a request, then the file is served well. */
  behaviours: Behaviour[] = [];
  /** Bytes a millisecond, 0 for as fast as it goes. */
  bytesPerMs = 0;
  ignoresRange = false;
  /** Requests for the file's content. */
  readonly fileRequests: { range: string | undefined; ifRange: string | undefined }[] = [];
  readonly apiRequests: string[] = [];
  readonly #server: Server;

  private constructor(content: Buffer) {
    this.content = content;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(content: Uint8Array): Promise<HubServer> {
    const hub = new HubServer(Buffer.from(content));
    await new Promise<void>((resolve) => hub.#server.listen(0, '127.0.0.1', resolve));
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get sha256(): string {
    return createHash('sha256').update(this.content).digest('hex');
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', this.url).pathname;
    if (path.startsWith('/api/')) {
      this.apiRequests.push(path);
      const json = path.endsWith('/revision/main')
        ? { sha: REVISION }
        : [
            { type: 'directory', path: 'onnx/other' },
            {
              type: 'file',
              path: 'onnx/model.onnx',
              size: 133,
              oid: 'f'.repeat(40),
              lfs: {
                oid: this.declared.sha256 ?? this.sha256,
                size: this.declared.size ?? this.content.length,
                pointerSize: 133,
              },
            },
          ];
      response.setHeader('content-type', 'application/json').end(JSON.stringify(json));
      return;
    }
    if (/^\/[\w.-]+\/[\w.-]+\/resolve\//.test(path)) {
      // The hub answers with a redirect to its store, relative and with a query, as the real one does.
      response.writeHead(302, { location: `/store/${REVISION}?signature=a%2Fb` }).end();
      return;
    }
    if (!path.startsWith('/store/')) {
      response.writeHead(404).end();
      return;
    }
    this.fileRequests.push({
      range: request.headers.range,
      ifRange: request.headers['if-range'] as string | undefined,
    });
    const behaviour = this.behaviours.shift();
    if (behaviour) await behaviour(request, response, this.content);
    else await this.serve(request, response);
  }

  /** Serves the file as a good server does: ranges, a validator, the pace that was asked for. */
  async serve(request: IncomingMessage, response: ServerResponse, end = this.content.length): Promise<void> {
    const { content } = this;
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const validator = request.headers['if-range'];
    const isPartial = range !== null && !this.ignoresRange && (validator === undefined || validator === this.etag);
    const start = isPartial ? Number(range[1]) : 0;
    if (isPartial && start >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
      return;
    }
    response.writeHead(isPartial ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': content.length - start,
      etag: this.etag,
      ...(isPartial && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    for (let position = start; position < end && !response.destroyed; position += 16384) {
      const chunk = content.subarray(position, Math.min(position + 16384, end));
      await new Promise<void>((resolve) => response.write(chunk, () => resolve()));
      if (this.bytesPerMs > 0) await sleep(chunk.length / this.bytesPerMs);
    }
    if (end < content.length) response.destroy();
    else response.end();
  }

  /** Cuts the connection after the file's byte `end`. */
  cutAt(end: number): Behaviour {
    return (request, response) => this.serve(request, response, end);
  }
}

/** Answers with a status, headers and a body. */
export function answer(status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): Behaviour {
  return (_, response) => {
    response.writeHead(status, headers).end(body);
  };
}
