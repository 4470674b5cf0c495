/** What a new worker needs to know everything that the old one had learned: kept on the page, in proportion to what was learned. */

import type { JournalEntry } from './protocol.ts';

/** Below this the entries may be as many as they like. */
const SLACK_BYTES = 1 << 20;
/** What an entry without bytes counts for. */
const VERB_BYTES = 256;

function sizeOf(entry: JournalEntry): number {
  if (entry.kind === 'verb') return VERB_BYTES;
  if (entry.kind !== 'forgotten') return entry.bytes.length;
  return entry.seen.reduce((sum, { embedding }) => sum + embedding.byteLength, 0);
}

export class Journal {
  #entries: JournalEntry[] = [];
  #wholeBytes = 0;
  #laterBytes = 0;

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  /**
   * Entries after the last whole one outweigh it: time for a new one. Each whole entry is paid for by the changes since
   * the one before, so a change costs its own size, on average, however much was learned before.
   */
  get isLong(): boolean {
    return this.#laterBytes > this.#wholeBytes + SLACK_BYTES;
  }

  add(entry: JournalEntry): void {
    if (entry.kind === 'whole') {
      this.clear();
      this.#wholeBytes = sizeOf(entry);
    } else this.#laterBytes += sizeOf(entry);
    this.#entries.push(entry);
  }

  /** All of it is stored. */
  clear(): void {
    this.#entries = [];
    this.#wholeBytes = 0;
    this.#laterBytes = 0;
  }
}
