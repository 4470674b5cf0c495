/** Files that were passed over on purpose, most as no pictures by their names: said in one line, no failure. */

import type { IgnoredFile } from '@imprint/node';
import { counted, displayText } from './display-text.ts';
import type { Output } from './output.ts';

/** Says nothing of those that could not be read: they are left out, which `reportLeftOut` tells. */
export async function nameIgnored(ignored: readonly IgnoredFile[], notices: Output): Promise<void> {
  const passedOver = ignored.filter(({ error }) => error === undefined);
  if (passedOver.length === 0) return;
  const [{ path, reason }] = passedOver;
  const first = `${displayText(path)} (${reason})`;
  await notices.line(
    passedOver.length === 1
      ? `imprint: passed over ${first}.`
      : `imprint: passed over ${counted(passedOver.length, 'file')}, the first ${first}.`,
  );
}
