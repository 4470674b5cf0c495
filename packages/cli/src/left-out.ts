/** Files and folders that could not be read: named one a line on standard error, counted, and said in the exit status. */

import type { IgnoredFile } from '@imprint/node';
import type { ExitCode } from './command.ts';
import { counted, displayText } from './display-text.ts';
import type { Output } from './output.ts';

export interface LeftOut {
  readonly file: string;
  readonly error: Error;
  /** A folder, with whatever is in it. */
  readonly isFolder?: boolean;
}

/** The folders, of those that listing came upon, that were to be looked into and could not be. */
export function closedFolders(ignored: readonly IgnoredFile[]): LeftOut[] {
  return ignored.flatMap(({ path, error }) => (error === undefined ? [] : [{ file: path, error, isFolder: true }]));
}

/** Names them. @returns 3 where there are any, else 0 */
export async function reportLeftOut(leftOut: readonly LeftOut[], notices: Output): Promise<ExitCode> {
  if (leftOut.length === 0) return 0;
  for (const { file, error } of leftOut) {
    await notices.line(`imprint: left out ${displayText(file)}: ${displayText(error.message)}`);
  }
  const folders = leftOut.filter(({ isFolder }) => isFolder).length;
  const files = leftOut.length - folders;
  const parts = [files > 0 ? counted(files, 'file') : [], folders > 0 ? counted(folders, 'folder') : []].flat();
  await notices.line(`imprint: ${parts.join(' and ')} left out.`);
  return 3;
}

/** The same for JSON. */
export function leftOutJson(leftOut: readonly LeftOut[]): { file: string; error: string }[] {
  return leftOut.map(({ file, error }) => ({ file, error: error.message }));
}
