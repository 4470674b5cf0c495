/** The contract of a place where a page keeps a classifier: core's `Store`, shared with other tabs. */

import type { Store } from '@imprint/core';

export interface PageStore extends Store {
  readonly kind: 'opfs' | 'indexeddb';
  /** Stands for the stored content without reading it: equal for equal content, undefined where nothing is stored. */
  version(): Promise<string | undefined>;
  /** Moves the newest content to a store of another name, and returns that name; what was stored before it may come back. */
  setAside(): Promise<string>;
}

/** A name for what is set aside: of its own, and telling when. */
export function backupName(name: string): string {
  return `${name}.backup-${new Date().toISOString().replace(/[-:.]/g, '')}`;
}
