/** The door for pages: a classifier whose backbone, decoding and solving live in a worker of its own. */

import { expected, requireOptions } from '@imprint/core';
import { assetUrls, startWorker } from './asset-urls.ts';
import type { WorkerOptions } from './protocol.ts';
import { requireFunction } from './check-arguments.ts';
import { RemoteClassifier, RemoteState } from './remote-classifier.ts';
import { requirePage } from './require-page.ts';
import type { CreateClassifierOptions, WebClassifier } from './web-classifier.ts';
import { WorkerLink } from './worker-link.ts';

const DEVICES: readonly unknown[] = ['auto', 'webgpu', 'wasm'];

/**
 * A classifier on this page. Where `store` names one that was used before, it knows what was learned then.
 *
 *     await using classifier = await createClassifier();
 *     await classifier.addClass('cat', files);
 *     const { label, confidence } = await classifier.classify(document.querySelector('img')!);
 *
 * @throws UNSUPPORTED outside a browser, or where the page's policy forbids WASM; FILE_UNREADABLE where the worker's script,
 *   BACKBONE_NOT_FOUND where another file is not at its place; BACKBONE_INVALID, DEVICE_UNAVAILABLE, DEVICE_INACCURATE,
 *   INVALID_ARGUMENT; the signal's reason
 */
export async function createClassifier<Label extends string = string>(
  options: CreateClassifierOptions = {},
): Promise<WebClassifier<Label>> {
  checkOptions(requireOptions(options));
  requirePage('createClassifier');
  const { onNotice, signal, device = 'auto', numThreads, maxPixels, head, unknownBelow, memory, store } = options;
  const base = document.baseURI;
  const wire: WorkerOptions = {
    assets: assetUrls(options, base),
    device,
    numThreads,
    maxPixels,
    head,
    unknownBelow,
    memory,
    store,
  };
  const remote = new RemoteState();
  if (onNotice !== undefined) remote.noticeListeners.add(onNotice);
  const link = await WorkerLink.open(() => startWorker(options, base), wire, remote, signal);
  return new RemoteClassifier<Label>(link, remote);
}

function checkOptions(options: CreateClassifierOptions): void {
  const { device = 'auto', numThreads, maxPixels, head, store, onNotice } = options;
  if (!DEVICES.includes(device)) throw expected('device', "'auto', 'webgpu' or 'wasm'", device);
  for (const [name, value] of Object.entries({ numThreads, maxPixels })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw expected(name, 'a positive integer', value);
    }
  }
  for (const [name, value] of Object.entries({ head, store })) {
    if (value !== undefined && typeof value !== 'string') throw expected(name, 'a name', value);
  }
  if (store !== undefined && /[\ud800-\udfff]/u.test(store))
    throw expected('store', 'a name in whole characters', store);
  requireFunction(onNotice, 'onNotice');
}
