/** The contract of a place where a snapshot is kept: a file in Node, OPFS or IndexedDB in a browser. */

export interface Store {
  /** Says where, for messages: a path, `opfs:cats`. */
  readonly location: string;
  /** The stored bytes, or undefined where nothing is stored yet. */
  read(): Promise<Uint8Array | undefined>;
  /** Replaces the stored bytes, whole or not at all: after a crash the store holds the old bytes or the new ones. */
  write(bytes: Uint8Array): Promise<void>;
  /** Runs `action` while no other process or tab writes this store; fails with `FILE_BUSY` where one keeps it too long. */
  exclusively<T>(action: () => Promise<T>): Promise<T>;
}
