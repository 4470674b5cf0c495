/**
 * Keeps a worker thread from being ended inside native code. Node ends threads by making every call into JavaScript fail;
 * ONNX Runtime's binding (1.30) throws on that where nothing catches, and the whole process aborts (SIGABRT).
 */

/** Words of the shared memory: whether the thread is to end, and how many native calls it is in. */
const CLOSING = 0;
const BUSY = 1;

/** At the process's end a native call gets this long; one that takes longer risks the abort. */
const PATIENCE_MS = 10_000;

const open = new Set<NativeGate>();
let watching = false;

function closeAll(): void {
  for (const gate of open) gate.close();
  const deadline = Date.now() + PATIENCE_MS;
  for (const gate of open) gate.waitUntilIdle(deadline);
}

/** The side of whoever started the thread. */
export class NativeGate {
  /** For the thread, which passes it to `joinGate`. */
  readonly memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  readonly #words = new Int32Array(this.memory);

  /** Counts the thread as busy from its start, since it loads native modules first. */
  constructor() {
    Atomics.store(this.#words, BUSY, 1);
    open.add(this);
    if (watching) return;
    watching = true;
    process.on('exit', closeAll);
  }

  /** The thread begins no native call from now on. */
  close(): void {
    Atomics.store(this.#words, CLOSING, 1);
  }

  /** Blocks until the thread is in no native call, or until `deadline` (as by Date.now()). */
  waitUntilIdle(deadline: number): void {
    for (;;) {
      const busy = Atomics.load(this.#words, BUSY);
      const left = deadline - Date.now();
      if (busy === 0 || left <= 0) return;
      Atomics.wait(this.#words, BUSY, busy, left);
    }
  }

  /** The thread has ended: nobody waits for it any more. */
  ended(): void {
    open.delete(this);
  }
}

let words: Int32Array | undefined;

function leave(): void {
  if (words === undefined) return;
  Atomics.sub(words, BUSY, 1);
  Atomics.notify(words, BUSY);
}

/** The thread's side, once its modules are loaded. */
export function joinGate(memory: SharedArrayBuffer): void {
  words = new Int32Array(memory);
  leave();
}

/** Runs `call`, which enters native code. In a thread that is to end it never begins, and the promise never settles. */
export async function throughGate<T>(call: () => Promise<T>): Promise<T> {
  if (words === undefined) return call();
  Atomics.add(words, BUSY, 1);
  try {
    if (Atomics.load(words, CLOSING) === 0) return await call();
  } finally {
    leave();
  }
  return new Promise(() => {});
}
