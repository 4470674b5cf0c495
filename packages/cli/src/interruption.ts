/** Ctrl-C and SIGTERM: the first asks the verb to stop and leave every file whole, the second stops at once. */

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('Stopped before the end; no file was changed.');
    this.exitCode = exitCode;
  }
}

/** By the signal's own action: `process.exit` would wait for threads, and one in a native call may take for ever. */
function endAtOnce(name: keyof typeof EXIT_CODES): never {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
  // Still here: the first process of a container does not die of its own signals.
  process.exit(EXIT_CODES[name]);
}

/** Aborts with an `Interruption`. Until `release`, the process does not die of these signals by itself. */
export function interruptible(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => {
    const listener = (): void => {
      const exitCode = EXIT_CODES[name];
      if (controller.signal.aborted) endAtOnce(name);
      controller.abort(new Interruption(exitCode));
    };
    process.on(name, listener);
    return [name, listener] as const;
  });
  return {
    signal: controller.signal,
    release: () => listeners.forEach(([name, listener]) => process.removeListener(name, listener)),
  };
}
