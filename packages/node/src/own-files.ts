/** This package's own files: a bundler that moves the code leaves them behind. */

import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { ImprintError } from '@imprint/core';

/** @throws UNSUPPORTED where the code runs without the files beside it */
export function requireOwnFiles(): void {
  // A bundle in CommonJS has none.
  const here = import.meta.url as string | undefined;
  if (here !== undefined && existsSync(new URL(`./backbone-worker${extname(here)}`, here))) return;
  const next =
    "Leave it out of the bundle: esbuild --external:@imprint/node, Next.js serverExternalPackages: ['@imprint/node'].";
  throw new ImprintError(
    'UNSUPPORTED',
    `Expected @imprint/node's own files beside its code, got a bundle without them. ${next}`,
  );
}
