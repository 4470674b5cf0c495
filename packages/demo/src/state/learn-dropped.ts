/** Pictures that came without a class: folders become classes by their names, loose ones a class that asks for one. */

import type { Dropped } from '../pictures/dropped-files.ts';
import { openFile } from './files.ts';
import { freeName, learnFiles, learnFolders, renaming } from './learn.ts';
import { say } from './toasts.ts';

export async function learnDropped({ saved, loose, folders }: Dropped): Promise<void> {
  if (saved !== undefined) return openFile(saved);
  if (folders.size > 0) await learnFolders(folders);
  if (loose.length > 0) {
    const label = freeName();
    if (await learnFiles(label, loose)) renaming.value = label;
  }
  if (folders.size === 0 && loose.length === 0) {
    say('There was no picture in that. JPEG, PNG, WebP, GIF and AVIF are read.', { tone: 'error' });
  }
}
