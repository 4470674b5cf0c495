/** Save, open and share: one `.imprint` file that Node, the command line and other pages read. */

import { signal } from '@preact/signals';
import { change } from './change.ts';
import { drafts, learned, ready } from './session.ts';
import { say, sayError } from './toasts.ts';

export const FILE_NAME = 'things.imprint';
/** A file that waits for the answer to "replace or add?". */
export const opening = signal<File | undefined>(undefined);

async function savedFile(): Promise<File> {
  const blob = await (await ready()).export();
  return new File([blob], FILE_NAME, { type: 'application/octet-stream' });
}

export async function save(): Promise<void> {
  try {
    download(await savedFile());
    say(`Saved as ${FILE_NAME}. Node and the command line open it too: imprint classify ${FILE_NAME} photo.jpg`);
  } catch (error) {
    sayError(error);
  }
}

function download(file: File): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = file.name;
  link.click();
  // The browser reads the address after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export const canShare = 'share' in navigator;

/** Through the system's share sheet where that takes such files; as a download elsewhere. */
export async function share(): Promise<void> {
  try {
    const file = await savedFile();
    if (navigator.canShare?.({ files: [file] }) !== true) {
      download(file);
      say(`This browser does not share such files. ${FILE_NAME} was saved instead: send it as you like.`);
      return;
    }
    await navigator.share({ files: [file], title: 'Imprint' });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'AbortError')) sayError(error);
  }
}

/** Opens a file at once where nothing is known yet; asks otherwise. */
export async function openFile(file: File): Promise<void> {
  try {
    await ready();
  } catch {
    return;
  }
  if (learned.value.length > 0) opening.value = file;
  else await takeIn(file, false);
}

/** @param merge beside what is known; otherwise in its place */
export function takeIn(file: File, merge: boolean): Promise<boolean> {
  opening.value = undefined;
  return change(async (classifier) => {
    await classifier.import(file, { merge });
    if (!merge) drafts.value = [];
    return merge ? `${file.name} was added to what was here.` : `${file.name} is open.`;
  });
}
