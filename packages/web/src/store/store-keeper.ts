/** Keeps what is learned in a store: one write in flight, whatever the pace of changes, and no other tab's change lost. */

import { ImprintError } from '@imprint/core';
import type { JournalEntry } from '../protocol.ts';
import type { PageStore } from './page-store.ts';

/** What the keeper needs of whoever holds the content. `Content` is a classifier. */
export interface KeptContent<Content> {
  /** What `bytes` hold, or nothing learned, beside the present content. @throws SNAPSHOT_INVALID, SNAPSHOT_VERSION, BACKBONE_MISMATCH */
  restore(bytes: Uint8Array | undefined): Content;
  /** `content` with a change repeated on it, or what it is replaced by. */
  applied(content: Content, entry: JournalEntry): Promise<Content>;
  /** From now on `content` is the present one; a change that the keeper has not been told yet will be repeated on it. */
  replace(content: Content): void;
  /** Resolves when the keeper has been told every change that was made. */
  settled(): Promise<void>;
  snapshot(): Uint8Array;
}

export interface KeeperEvents {
  onNotice(message: string): void;
  /** Another tab changed the content. */
  onReplaced(): void;
  /** Every change that was answered until now is stored. */
  onSaved(): void;
  /** A turn of the event loop. */
  nextTurn(): Promise<void>;
}

interface Pending {
  readonly entry: JournalEntry;
  /** Absent once its caller has been answered. */
  caller?: { readonly resolve: (isStored: boolean) => void; readonly reject: (error: unknown) => void };
}

export class StoreKeeper<Content> {
  readonly store: PageStore;
  readonly #kept: KeptContent<Content>;
  readonly #events: KeeperEvents;
  readonly #others: BroadcastChannel;
  /** Changes that the store does not have, in their order. */
  #pending: Pending[] = [];
  /** The stored content that, with what is pending, is the present one. */
  #version: string | undefined;
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(store: PageStore, kept: KeptContent<Content>, events: KeeperEvents) {
    this.store = store;
    this.#kept = kept;
    this.#events = events;
    this.#others = new BroadcastChannel(`imprint ${store.location}`);
    this.#others.onmessage = ({ data }) => {
      if (data !== this.#version) void this.catchUp();
    };
  }

  get isSaved(): boolean {
    return this.#pending.length === 0;
  }

  /**
   * Takes over what is stored, and on it `journal`: what an earlier worker could not store.
   * @throws BACKBONE_MISMATCH, FILE_BUSY; the browser's own error where reading fails
   */
  async open(journal: readonly JournalEntry[]): Promise<void> {
    this.#pending = journal.map((entry) => ({ entry }));
    await this.store.exclusively(async () => this.#rebase(await this.#stored(true)));
    if (journal.length > 0) void this.#write();
  }

  /** Stores a change that was made. Resolves with whether it is stored. @throws what repeating it on another tab's content throws */
  changed(entry: JournalEntry): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ entry, caller: { resolve, reject } });
      void this.#write();
    });
  }

  /** Takes in what other tabs stored. A failure is told as a notice. */
  async catchUp(): Promise<void> {
    // A write takes it in anyway.
    if (this.#writing !== undefined) return;
    try {
      await this.store.exclusively(async () => {
        const version = await this.store.version();
        if (version !== undefined) await this.#takeIn(version);
      });
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** @throws FILE_UNWRITABLE, FILE_BUSY, SNAPSHOT_VERSION where not everything can be stored */
  async flush(): Promise<void> {
    await this.#kept.settled();
    if (!this.isSaved) await this.#write();
    if (!this.isSaved) throw this.#failure!;
  }

  /** What comes while a write is in flight goes with the next one, all of it. */
  #write(): Promise<void> {
    this.#writing ??= (async () => {
      do await this.#writeOnce();
      while (this.#pending.some(({ caller }) => caller !== undefined));
      this.#writing = undefined;
    })();
    return this.#writing;
  }

  async #writeOnce(): Promise<void> {
    let batch: Pending[] = [];
    try {
      await this.store.exclusively(async () => {
        const version = await this.store.version();
        if (version !== undefined) await this.#takeIn(version);
        else if (this.#version !== undefined) this.#events.onNotice(CLEARED);
        await this.#kept.settled();
        batch = [...this.#pending];
        await this.store.write(this.#kept.snapshot());
        this.#version = await this.store.version();
      });
      this.#pending = this.#pending.filter((pending) => !batch.includes(pending));
      this.#failure = undefined;
      this.#others.postMessage(this.#version);
      this.#events.onSaved();
      await this.#answer(batch, true);
    } catch (error) {
      this.#fail(error as Error);
      await this.#answer([...this.#pending], false);
    }
  }

  /** Each in a turn of its own: the page learns of changes in their order. */
  async #answer(batch: readonly Pending[], isStored: boolean): Promise<void> {
    for (const pending of batch) {
      if (pending.caller === undefined) continue;
      pending.caller.resolve(isStored);
      delete pending.caller;
      await this.#events.nextTurn();
    }
  }

  async #takeIn(version: string): Promise<void> {
    if (version === this.#version) return;
    await this.#rebase(await this.#stored(false));
    this.#events.onReplaced();
  }

  /** What is pending is repeated on `base`, which becomes the content. */
  async #rebase(base: Content): Promise<void> {
    let content = base;
    for (let i = 0; i < this.#pending.length;) {
      try {
        content = await this.#kept.applied(content, this.#pending[i].entry);
        i++;
      } catch (error) {
        const [{ caller }] = this.#pending.splice(i, 1);
        if (caller === undefined) this.#events.onNotice(`A change had to be given up: ${(error as Error).message}`);
        else caller.reject(error);
      }
    }
    this.#kept.replace(content);
  }

  /**
   * The newest stored content that can be read; what is damaged is set aside. So is, when the page opens, what a newer
   * release wrote; later that release is in use in another tab, and has its content left in peace.
   */
  async #stored(isOpening: boolean): Promise<Content> {
    for (;;) {
      try {
        const content = this.#kept.restore(await this.store.read());
        this.#version = await this.store.version();
        return content;
      } catch (error) {
        const code = error instanceof ImprintError ? error.code : undefined;
        if (code !== 'SNAPSHOT_INVALID' && !(code === 'SNAPSHOT_VERSION' && isOpening)) throw error;
        const aside = await this.store.setAside();
        this.#events.onNotice(
          `${(error as Error).message} It was moved aside, to the store ${JSON.stringify(aside)}, and is not lost.`,
        );
      }
    }
  }

  /** Told once, until something is stored again. */
  #fail(error: Error): void {
    if (this.#failure === undefined) this.#events.onNotice(error.message);
    this.#failure = error;
  }
}

const CLEARED =
  'The storage of this page was cleared while it was open, by the browser or by hand. Everything learned is still here and is written again.';
