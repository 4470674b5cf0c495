/** The two packages of native code, loaded when they are first needed: where one does not load, what needs none works, and says why. */

import { ImprintError } from '@imprint/core';
import type * as OnnxRuntime from 'onnxruntime-node';
import type Sharp from 'sharp';
import { ownRequire } from './own-files.ts';

let onnxRuntimeLoaded: typeof OnnxRuntime | undefined;
let sharpLoaded: typeof Sharp | undefined;

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).trim().split('\n')[0].replace(/\.$/, '');
}

/**
 * ONNX Runtime keeps an id of the device and records of its sessions for Microsoft's servers, unless told not to before it loads.
 * Only the main thread's environment is the process's: this comes before any thread that loads it. Who sets the variable is heard.
 */
export function refuseTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
}

/** @throws DEVICE_UNAVAILABLE where it does not load, UNSUPPORTED in a bundle */
export function onnxRuntime(): typeof OnnxRuntime {
  if (onnxRuntimeLoaded !== undefined) return onnxRuntimeLoaded;
  const require = ownRequire();
  refuseTelemetry();
  try {
    // Not by import(): that has to be awaited, and a module that awaits while it loads cannot be required.
    onnxRuntimeLoaded = require('onnxruntime-node') as typeof OnnxRuntime;
  } catch (cause) {
    const next =
      'On Linux it needs glibc, which Alpine has not: take an image such as node:slim. Else install it again.';
    const message = `Expected onnxruntime-node to load on ${process.platform} ${process.arch}, got: ${firstLine(cause)}. ${next}`;
    throw new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
  }
  return onnxRuntimeLoaded;
}

/** @throws UNSUPPORTED where it does not load */
export async function loadSharp(): Promise<typeof Sharp> {
  try {
    return (sharpLoaded ??= (await import('sharp')).default);
  } catch (cause) {
    const next = 'Install it on this machine: npm install --include=optional sharp.';
    const message = `Expected sharp to load on ${process.platform} ${process.arch}, got: ${firstLine(cause)}. ${next}`;
    throw new ImprintError('UNSUPPORTED', message, { cause });
  }
}
