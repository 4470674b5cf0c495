/** Standard output and error as lines: they wait for slow readers, and a reader that has gone (`| head`) breaks nothing. */

import type { Writable } from 'node:stream';

type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export class Output {
  readonly isTerminal: boolean;
  readonly #stream: Stream;
  #closed = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // EPIPE: the reader has gone. Anything else (a full disk behind `>`) is a failure that the next line states.
      this.#closed = true;
      this.#failure = error.code === 'EPIPE' ? undefined : error;
    });
  }

  #failure: Error | undefined;

  /** True once nobody reads any more: whoever only prints may stop. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Why lines were lost, where that was not the reader's choice. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Columns of the terminal, 80 where there is none. */
  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  /** Writes a line and waits until the reader keeps up. */
  async line(text: string): Promise<void> {
    await this.write(`${text}\n`);
  }

  async json(value: unknown): Promise<void> {
    await this.line(JSON.stringify(value));
  }

  write(text: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      // The callback comes with an error too; the listener above has then noted it.
      this.#stream.write(text, () => resolve());
    });
  }
}
