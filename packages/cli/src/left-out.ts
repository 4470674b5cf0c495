/** Files that could not be read: named one a line on standard error, counted, and said in the exit status. */

import type { ExitCode } from './command.ts';
import { counted, displayText } from './display-text.ts';
import type { Output } from './output.ts';

export interface LeftOut {
  readonly file: string;
  readonly error: Error;
}

/** Names the files. @returns 3 where there are any, else 0 */
export async function reportLeftOut(leftOut: readonly LeftOut[], notices: Output): Promise<ExitCode> {
  if (leftOut.length === 0) return 0;
  for (const { file, error } of leftOut) {
    await notices.line(`imprint: left out ${displayText(file)}: ${displayText(error.message)}`);
  }
  await notices.line(`imprint: ${counted(leftOut.length, 'file')} left out.`);
  return 3;
}

/** The same for JSON. */
export function leftOutJson(leftOut: readonly LeftOut[]): { file: string; error: string }[] {
  return leftOut.map(({ file, error }) => ({ file, error: error.message }));
}
