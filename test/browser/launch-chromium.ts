/** A real headless Chromium for tests: one process a test file, one context a test. */

import { chromium, type Browser } from 'playwright-core';
import { describe } from 'vitest';
import { findChromium, HOW_TO_INSTALL } from './find-chromium.ts';

const program = findChromium();
if (program === undefined && process.env['CI'] === 'true') {
  throw new Error(`Expected a Chromium in CI, got none. ${HOW_TO_INSTALL}`);
}

/** `describe`, skipped where the machine has no browser; in CI that fails instead. */
export const describeInBrowser = program === undefined ? describe.skip : describe;

export interface LaunchOptions {
  /** WebGPU through SwiftShader. Slow (0.3 GFLOP/s): use 32-pixel models. */
  readonly webgpu?: boolean;
  /** A camera that shows a spinning dial. A context still needs `permissions: ['camera']`; without, it is refused. */
  readonly fakeCamera?: boolean;
  readonly args?: readonly string[];
}

/** Starts a browser that reaches nothing but this machine. Close it in `afterAll`. */
export async function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  if (program === undefined) throw new Error(`Expected a Chromium, got none. ${HOW_TO_INSTALL}`);
  return chromium.launch({
    executablePath: program,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--disable-quic',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
      // Containers often give /dev/shm only 64 MB, and a model's session needs more.
      '--disable-dev-shm-usage',
      ...(options.webgpu ? ['--enable-unsafe-webgpu'] : []),
      ...(options.fakeCamera ? ['--use-fake-device-for-media-stream'] : []),
      ...(options.args ?? []),
    ],
  });
}
