/** This package's own files: a bundler that moves the code leaves them behind. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImprintError } from '@imprint/core';

/**
 * Where this file is. Not `new URL('./a', import.meta.url)` or `createRequire(import.meta.url)`: bundlers take those for requests to carry
 * along what they name.
 */
function here(): string | undefined {
  // A bundle in CommonJS has none.
  const url = import.meta.url as string | undefined;
  return url === undefined ? undefined : fileURLToPath(url);
}

/** @throws UNSUPPORTED where the code runs without the files beside it */
function requireOwnFiles(): void {
  const file = here();
  if (file !== undefined && existsSync(join(dirname(file), `backbone-worker${extname(file)}`))) return;
  const next =
    'Leave it out of the bundle: esbuild --external:@imprint/node, Next.js serverExternalPackages and outputFileTracingIncludes (its README).';
  throw new ImprintError(
    'UNSUPPORTED',
    `Expected @imprint/node's own files beside its code, got a bundle without them. ${next}`,
  );
}

/**
 * `require` as for this package's code.
 * @throws UNSUPPORTED as above
 */
export function ownRequire(): NodeJS.Require {
  return createRequire(ownFile('own-files.js'));
}

/**
 * The path of a file or folder of this package, from its folder of code.
 * @throws UNSUPPORTED as above
 */
export function ownFile(name: string): string {
  requireOwnFiles();
  return join(dirname(here()!), name);
}
