/** ONNX Runtime in this worker: one of its builds, loaded from our own addresses and no other. */

import { ImprintError } from '@imprint/core';
import type * as Ort from 'onnxruntime-web';
import type { EngineName, EngineUrls } from '../protocol.ts';
import { outOfMemory } from './engine-errors.ts';
import { fetchAsset, importScript, wrongFile } from './fetch-asset.ts';

export interface Engine {
  readonly name: EngineName;
  readonly ort: typeof Ort;
  readonly numThreads: number;
  /** Runs `task` when every task before it has ended: the builds with WebGPU suspend inside a run, and take no second one. */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
}

/** More threads gain nothing at these sizes, and phones have few fast cores. */
export const MAX_THREADS = 4;

/** Threads that WASM can have here: shared memory needs cross-origin isolation. */
export function threadsHere(wanted: number | undefined): number {
  return globalThis.crossOriginIsolated ? threadsOf(wanted) : 1;
}

/** Threads that share no memory can be had everywhere. */
export function threadsOf(wanted: number | undefined): number {
  return wanted ?? Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1);
}

/**
 * Loads a build's scripts and its WASM. Sessions that run side by side share it.
 * @throws BACKBONE_NOT_FOUND where a file is not there, BACKBONE_INVALID where it is another, DEVICE_UNAVAILABLE where memory runs
 *   out, UNSUPPORTED where the page's policy forbids WASM
 */
export async function loadEngine(name: EngineName, urls: EngineUrls, threads: number | undefined): Promise<Engine> {
  requireWasm();
  const [ort, wasmBinary] = await Promise.all([
    importScript<typeof Ort>(urls.script, "ONNX Runtime's script"),
    fetchAsset(urls.wasm, "ONNX Runtime's WASM file"),
    // ONNX Runtime imports it again, and does not say well where it is not there.
    importScript(urls.glue, "ONNX Runtime's second script"),
  ]);
  const numThreads = threadsHere(threads);
  try {
    Object.assign(ort.env.wasm, {
      numThreads,
      wasmBinary: wasmBinary.buffer,
      wasmPaths: { mjs: urls.glue, wasm: urls.wasm },
    });
    ort.env.logLevel = 'fatal';
    await initialise(ort);
  } catch (cause) {
    throw (
      outOfMemory(cause, 'ONNX Runtime') ?? wrongFile("ONNX Runtime's files", Object.values(urls).join(', '), cause)
    );
  }
  let last: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(task: () => Promise<T>): Promise<T> => {
    const next = last.then(task);
    last = next.catch(() => undefined);
    return next;
  };
  return { name, ort, numThreads, exclusively };
}

/** Compiles the WASM now, while the model is still on its way: ONNX Runtime does it with its first session. */
async function initialise(ort: typeof Ort): Promise<void> {
  // WASM of another release may link, and then fail where ONNX Runtime does not look: it would wait for ever.
  const failed = new Promise<never>((_, reject) => {
    addEventListener('unhandledrejection', ({ reason }) => reject(reason as Error), { once: true });
  });
  const created = ort.InferenceSession.create(SMALLEST_MODEL, { executionProviders: ['wasm'] });
  const session = await Promise.race([created, failed]);
  await session.release();
  // Nobody reads these 14 to 27 MB again.
  delete ort.env.wasm.wasmBinary;
}

/** The smallest model that it takes: `b = Abs(a)`, a graph named `g`, in ONNX's version 8 with operators of version 17. */
const SMALLEST_MODEL = Uint8Array.of(
  ...[8, 8, 58, 38, 10, 11, 10, 1, 97, 18, 1, 98, 34, 3, 65, 98, 115, 18, 1, 103, 90, 9, 10, 1, 97, 18, 4, 10, 2, 8, 1],
  ...[98, 9, 10, 1, 98, 18, 4, 10, 2, 8, 1, 66, 2, 16, 17],
);

/** The smallest module there is: it compiles wherever WASM may run. */
const EMPTY_MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

/** Throws UNSUPPORTED where WASM is missing, or blocked by the page's Content-Security-Policy. */
function requireWasm(): void {
  try {
    new WebAssembly.Module(EMPTY_MODULE);
  } catch (cause) {
    const blocked = cause instanceof WebAssembly.CompileError;
    throw new ImprintError(
      'UNSUPPORTED',
      blocked
        ? "Expected to compile WebAssembly, the page's Content-Security-Policy forbids it. Add 'wasm-unsafe-eval' to its script-src."
        : 'Expected a browser with WebAssembly, got one without. Use a newer browser.',
      { cause },
    );
  }
}
