/** The worker's second script: core's `loadSeldom` comes here in the bundle that `scripts/bundle-worker.mjs` makes. */

import { importScript } from './fetch-asset.ts';

interface SeldomScript {
  /** @param shared what the second script uses of the first */
  readonly default: (shared: object) => object;
}

declare global {
  var imprintSeldom: (shared: object) => Promise<object>;
}

/** Says where the script lies; it is loaded once, when something in it is first asked for. */
export function placeSeldomScript(url: string): void {
  let loading: Promise<object> | undefined;
  globalThis.imprintSeldom = (shared) => {
    loading ??= importScript<SeldomScript>(url, "the worker's second script").then((script) => script.default(shared));
    loading.catch(() => (loading = undefined));
    return loading;
  };
}
