/** This package's own files: a bundler that moves the code leaves them behind. */

import { access } from 'node:fs/promises';
import { ImprintError } from '@imprint/core';

/** @throws UNSUPPORTED where the code runs without the files beside it */
export async function requireOwnFiles(): Promise<void> {
  // A bundle in CommonJS has none.
  const here = import.meta.url as string | undefined;
  try {
    if (here !== undefined) return await access(new URL('./backbone-worker.js', here));
  } catch {
    // Told below.
  }
  const next =
    "Leave it out of the bundle: esbuild --external:@imprint/node, Next.js serverExternalPackages: ['@imprint/node'].";
  throw new ImprintError(
    'UNSUPPORTED',
    `Expected @imprint/node's own files beside its code, got a bundle without them. ${next}`,
  );
}
