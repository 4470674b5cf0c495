/** Files that were passed over because they are no pictures by their names: said in one line, no failure. */

import type { IgnoredFile } from '@imprint/node';
import { counted, displayText } from './display-text.ts';
import type { Output } from './output.ts';

export async function nameIgnored(ignored: readonly IgnoredFile[], notices: Output): Promise<void> {
  if (ignored.length === 0) return;
  // Whatever is in such a folder was meant to be read.
  const { path, reason } = ignored.find((one) => one.reason === 'a folder that cannot be read') ?? ignored[0];
  const first = `${displayText(path)} (${reason})`;
  await notices.line(
    ignored.length === 1
      ? `imprint: passed over ${first}.`
      : `imprint: passed over ${counted(ignored.length, 'file')}, the first ${first}.`,
  );
}
