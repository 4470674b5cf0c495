/** The service worker: everything that this browser needs is kept, so that the page works without a network. */

import { signal } from '@preact/signals';
import { device } from './session.ts';
import { say } from './toasts.ts';

type EngineName = 'wasm' | 'jspi' | 'asyncify';

export const isOnline = signal(navigator.onLine);
/** Everything is here: the page, the model, and the engine that is in use. */
export const isKept = signal(false);

const ENGINES = './assets/engines.json';
/** As in vite.config.js. */
const CACHE = 'engines';
const SHELL_WAIT_MS = 500;

export function watchNetwork(): void {
  for (const event of ['online', 'offline']) {
    addEventListener(event, () => (isOnline.value = navigator.onLine));
  }
}

/**
 * Registers the worker once the classifier is there: what it keeps comes from the browser's cache then, and a first visit
 * loads nothing twice.
 */
export async function keepForOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  try {
    const wasControlled = navigator.serviceWorker.controller !== null;
    const registration = await navigator.serviceWorker.register('./sw.js', { scope: './', updateViaCache: 'none' });
    offerUpdates(registration);
    await navigator.serviceWorker.ready;
    await keepEngines(wasControlled);
    isKept.value = true;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    say(`This page cannot be kept for the time without a network (${why}). Everything else works.`);
  }
}

/** The engine in use now; the one that stands in for a lost GPU on a later visit, so that the first one stays small. */
async function keepEngines(isLaterVisit: boolean): Promise<void> {
  const files = (await (await fetch(ENGINES)).json()) as Record<EngineName, string[]>;
  const used: EngineName = device.value?.device === 'webgpu' ? webgpuBuild() : 'wasm';
  const names = isLaterVisit && used !== 'wasm' ? [used, 'wasm' as const] : [used];
  const cache = await caches.open(CACHE);
  for (const file of names.flatMap((name) => files[name])) {
    const url = new URL(file, document.baseURI).href;
    if ((await cache.match(url)) === undefined) await cache.add(url);
  }
  // Engines of former versions.
  const present = new Set(
    Object.values(files).flatMap((list) => list.map((file) => new URL(file, document.baseURI).href)),
  );
  for (const request of await cache.keys()) if (!present.has(request.url)) await cache.delete(request);
}

/** As @imprint/web chooses: the smaller build where the browser can suspend WASM itself. */
function webgpuBuild(): EngineName {
  return 'Suspending' in WebAssembly ? 'jspi' : 'asyncify';
}

function offerUpdates(registration: ServiceWorkerRegistration): void {
  const offer = (waiting: ServiceWorker) => {
    const reload = () => {
      navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
      waiting.postMessage({ type: 'SKIP_WAITING' });
    };
    say('A new version is here.', { stays: true, action: { name: 'Reload', run: reload } });
  };
  if (registration.waiting !== null && navigator.serviceWorker.controller !== null) offer(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const { installing } = registration;
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'installed' && navigator.serviceWorker.controller !== null) offer(installing);
    });
  });
}

/** Begins when the classifier is there: files that it cannot use must not be kept. */
export function keepWhenReady(opened: Promise<unknown>): void {
  opened
    .then(() => new Promise((resolve) => setTimeout(resolve, SHELL_WAIT_MS)))
    .then(keepForOffline)
    .catch(() => undefined);
}

/** Lets go of everything kept, which may be what is wrong; only where the server answers, so that no page is lost. */
export async function forgetKept(): Promise<void> {
  try {
    // A query is in no cache of ours.
    await (await fetch(`${ENGINES}?${Date.now()}`, { cache: 'no-store' })).json();
    const registration = await navigator.serviceWorker.getRegistration();
    const ours = (name: string) => name === CACHE || (registration !== undefined && name.endsWith(registration.scope));
    for (const name of (await caches.keys()).filter(ours)) await caches.delete(name);
    await registration?.unregister();
  } catch {
    // Without a network what is kept is all there is.
  }
}
