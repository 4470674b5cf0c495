/** Standard output and error as lines: they wait for slow readers, and a reader that has gone (`| head`) breaks nothing. */

import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a terminal may obey and JSON.stringify leaves as it is; its escape is the same JSON. */
const OBEYED = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

export class Output {
  readonly isTerminal: boolean;
  /** A terminal, or a pipe, whose reader may print to one (`| cat`): not a file, not /dev/null. */
  readonly mayReachTerminal: boolean;
  readonly #stream: Stream;
  #closed = false;
  #failure: Error | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    // Node's standard output is a socket unless it is a file.
    this.mayReachTerminal = stream instanceof Socket;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#closed = true;
      if (error.code !== 'EPIPE') this.#failure = error;
    });
  }

  /** True once nobody reads any more: whoever only prints may stop. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Why lines were lost where that was not the reader's choice: a full disk behind `>`. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Columns of the terminal; 80 where there is none, or where it tells none (a new pseudo-terminal has 0). */
  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Writes a line and waits until the reader keeps up. */
  line(text = ''): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** Writes `value` as one line of JSON. */
  json(value: unknown): Promise<void> {
    const text = JSON.stringify(value).replace(OBEYED, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
    return this.line(text);
  }

  write(text: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    // A failed write calls back as well; the listener above has noted it.
    return new Promise((resolve) => void this.#stream.write(text, () => resolve()));
  }
}
