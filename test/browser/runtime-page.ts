/** The page that the runtime's tests drive: every export of the package, and pictures of a few kinds drawn from a seed. */

import path from 'node:path';
import type { Gemm, matmulGraph } from '@imprint/core';
import type { loadEngine } from '../../packages/web/src/worker/engine.ts';
import { buildPage, root, type BuiltPage } from './build-page.ts';

/** How a test opens a classifier on a page. */
type Options = NonNullable<Parameters<typeof globalThis.imprint.createClassifier>[0]>;
type PageClassifier = Awaited<ReturnType<typeof globalThis.imprint.createClassifier>>;

declare global {
  /** `count` noisy pictures, 48 x 40, of the kind that `hue` names (0, 1, 2, ...); another `seed` gives others. */
  var pictures: (hue: number, count: number, seed?: number) => ImageData[];
  /** Opens a classifier that keeps its notices, and lets tests find it as `globalThis.classifier`. */
  var openClassifier: (options?: Options) => Promise<PageClassifier>;
  var classifier: PageClassifier;
  var notices: { kind: string; message: string }[];
  /** What a promise rejects with: `CODE: message`; `none` where it does not. */
  var failure: (promise: Promise<unknown>) => Promise<string>;
  /** What lies below the door. */
  var inside: { loadEngine: typeof loadEngine; wasmGemm: Gemm; matmulGraph: typeof matmulGraph };
}

const web = (file: string) => JSON.stringify(path.join(root, 'packages/web/src', file));

/** Every test's page. The small backbone's manifest lies at `/fixtures/tiny-backbone/manifest.json`. */
export function buildRuntimePage(): Promise<BuiltPage> {
  return buildPage(`
import * as imprint from '@imprint/web';
import { matmulGraph, wasmGemm } from '@imprint/core';
import { loadEngine } from ${web('worker/engine.ts')};
Object.assign(globalThis, { imprint, inside: { loadEngine, wasmGemm, matmulGraph }, notices: [] });
globalThis.pictures = (hue, count, seed = 0) =>
  Array.from({ length: count }, (_, i) => {
    let state = (hue * 7919 + (i + seed * 1000) * 104729 + 1) >>> 0;
    const noise = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24) / 8;
    const picture = new ImageData(48, 40);
    const [x0, y0] = [6 + noise() / 4, 6 + noise() / 4];
    for (let y = 0, o = 0; y < 40; y++)
      for (let x = 0; x < 48; x++, o += 4) {
        const inside = hue % 2 === 0 ? (x - x0 - 10) ** 2 + (y - y0 - 10) ** 2 < 120 : (x + y) % 12 < 6;
        const value = inside ? 200 : 40;
        picture.data.set([hue % 3 === 0 ? value : 255 - value, (hue * 60) % 200 + noise(), value / 2 + noise(), 255], o);
      }
    return picture;
  });
globalThis.openClassifier = async (options = {}) => {
  const onNotice = (notice) => globalThis.notices.push(notice);
  globalThis.classifier = await imprint.createClassifier({ onNotice, ...options });
  return globalThis.classifier;
};
globalThis.failure = (promise) =>
  promise.then(
    () => 'none',
    (error) => (error instanceof imprint.ImprintError ? error.code : error.name) + ': ' + error.message,
  );
`);
}
