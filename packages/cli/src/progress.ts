/** A progress bar on a terminal's standard error; silent everywhere else. */

import { counted } from './display-text.ts';
import type { Output } from './output.ts';

const REDRAW_MS = 100;
const BAR_COLUMNS = 24;
/** An estimate from fewer images or less time than this jumps about. */
const MIN_IMAGES = 8;
const MIN_SECONDS = 0.5;

/**
 *     learning  ███████████░░░░░░░░░░░░░  93/200 images  41.2/s  3 s left
 */
export class Progress {
  readonly #output: Output;
  readonly #verb: string;
  readonly #total: number;
  readonly #startMs = performance.now();
  #done = 0;
  #drawnMs = -Infinity;

  /** @param total images to come */
  constructor(output: Output, verb: string, total: number) {
    this.#output = output;
    this.#verb = verb;
    this.#total = total;
  }

  /** Counts one image more. */
  step(): void {
    this.#done++;
    const now = performance.now();
    if (!this.#output.isTerminal || now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    void this.#output.write(`\r\u001b[2K${this.#text((now - this.#startMs) / 1000)}`);
  }

  /** Wipes the bar: what follows starts on a clean line. */
  async end(): Promise<void> {
    if (this.#output.isTerminal && this.#drawnMs > 0) await this.#output.write('\r\u001b[2K');
  }

  #text(seconds: number): string {
    const share = this.#total > 0 ? Math.min(1, this.#done / this.#total) : 1;
    const filled = Math.round(share * BAR_COLUMNS);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled);
    const parts = [this.#verb, bar, `${this.#done}/${counted(this.#total, 'image')}`];
    if (this.#done >= MIN_IMAGES && seconds >= MIN_SECONDS) {
      const rate = this.#done / seconds;
      parts.push(`${rate.toFixed(1)}/s`, `${duration((this.#total - this.#done) / rate)} left`);
    }
    return parts.join('  ').slice(0, this.#output.columns - 1);
  }
}

/** `75` as `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
