/** The symbols of `using` and `await using` or, where a browser lacks them, those that the code of bundlers looks for instead. */

const known = Symbol as Partial<typeof Symbol>;

export const dispose: typeof Symbol.dispose = (known.dispose ?? Symbol.for('Symbol.dispose')) as typeof Symbol.dispose;
export const asyncDispose: typeof Symbol.asyncDispose = (known.asyncDispose ??
  Symbol.for('Symbol.asyncDispose')) as typeof Symbol.asyncDispose;
