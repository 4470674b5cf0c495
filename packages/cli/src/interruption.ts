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

/** Aborts with an `Interruption`. Until `release`, the process does not die of these signals by itself. */
export function interruptible(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => {
    const listener = (): void => {
      const exitCode = EXIT_CODES[name];
      if (controller.signal.aborted) process.exit(exitCode);
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
