/** The worker's second script: core's `loadSeldom` comes here in the bundle that `scripts/bundle-worker.mjs` makes. */

import { importScript, wrongFile } from './fetch-asset.ts';

interface SeldomScript {
  /** @param shared what the second script uses of the first */
  readonly default: (shared: object) => object;
}

declare global {
  var imprintSeldom: (shared: object) => Promise<object>;
}

const WHAT = "the worker's second script";

/** @throws BACKBONE_NOT_FOUND, BACKBONE_INVALID */
async function load(url: string, shared: object): Promise<object> {
  const script = await importScript<SeldomScript>(url, WHAT);
  try {
    return script.default(shared);
  } catch (cause) {
    throw wrongFile(WHAT, url, cause);
  }
}

/** Says where the script lies; it is loaded once, when something in it is first asked for. */
export function placeSeldomScript(url: string): void {
  let loading: Promise<object> | undefined;
  globalThis.imprintSeldom = (shared) => {
    loading ??= load(url, shared);
    loading.catch(() => (loading = undefined));
    return loading;
  };
}
