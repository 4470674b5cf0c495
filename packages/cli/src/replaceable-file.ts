/** Whether a new classifier may take a file's place: nothing is there yet, or an Imprint classifier. */

import { ImprintError } from '@imprint/core';
import { fileStore, openClassifier } from '@imprint/node';

/**
 * Looked at before the work begins, so that a mistyped `--out` costs no photo and no minute.
 * @throws FILE_UNWRITABLE for another kind of file, a folder, or a place that cannot be written
 */
export async function requireReplaceable(path: string): Promise<void> {
  const store = fileStore(path);
  // Taking the lock finds out whether the folder is there and may be written to.
  await store.exclusively(async () => {
    if ((await store.read()) === undefined) return;
    try {
      const present = await openClassifier(path, { backbone: null });
      await present.dispose();
    } catch (cause) {
      if (cause instanceof ImprintError && cause.code === 'SNAPSHOT_VERSION') return;
      if (!(cause instanceof ImprintError && cause.code === 'SNAPSHOT_INVALID')) throw cause;
      throw new ImprintError(
        'FILE_UNWRITABLE',
        `Expected nothing or an Imprint classifier at ${path}, got another or a damaged file. Choose another name, or delete it first.`,
        { cause },
      );
    }
  });
}
