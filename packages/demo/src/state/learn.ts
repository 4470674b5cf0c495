/** Everything that changes what is known: pictures into classes, and classes renamed, merged, deleted. */

import { signal } from '@preact/signals';
import type { AddReport, ImageInput, WebClassifier } from '@imprint/web';
import { fileId } from '../pictures/example-id.ts';
import { EXAMPLES_EACH, SAMPLE_KINDS, samplePicture } from '../pictures/sample.ts';
import { change } from './change.ts';
import { drafts, learned } from './session.ts';
import { keepThumbnail } from './thumbnails.ts';
import { say, sayError } from './toasts.ts';

/** Pictures read so far, of how many in all, and of which class; undefined while nothing is under way. */
export const progress = signal<{ readonly label: string; readonly done: number; readonly total: number } | undefined>(
  undefined,
);

let stopping = new AbortController();

/** Ends the learning under way. Classes that were read to their end stay. */
export function stopLearning(): void {
  stopping.abort();
}

/** The class whose name is being written. */
export const renaming = signal<string | undefined>(undefined);

/** Newest first, as far as this visit remembers; older ones follow in the file's order. */
export const newest = signal<readonly string[]>([]);
const MOST_NEWEST = 2000;

/** "1 picture", "12 pictures" */
export function pictures(count: number): string {
  return count === 1 ? '1 picture' : `${count.toLocaleString()} pictures`;
}

/** Learns files as examples of one class, made where it is new. Unreadable ones are left out, and named. */
export function learnFiles(label: string, files: readonly File[]): Promise<boolean> {
  return learnFolders(new Map([[label, files]]));
}

/** Learns a class from each folder, as one change. */
export function learnFolders(folders: ReadonlyMap<string, readonly File[]>): Promise<boolean> {
  return change(async (classifier) => {
    let added = 0;
    let known = 0;
    const names: string[] = [];
    const faults: string[] = [];
    const stopped = await addAll(classifier, folders, (label, report) => {
      added += report.added;
      known += report.duplicates;
      names.push(label);
      faults.push(...report.unreadable.map(({ error }) => error.message));
    });
    if (faults.length > 0) sayError(leftOut(faults));
    if (names.length === 0) say('Stopped: nothing was added.');
    if (names.length === 0 || (added === 0 && faults.length > 0)) return undefined;
    const into = names.length === 1 ? `“${names[0]}”` : `${names.length} classes`;
    const again = known > 0 ? `; ${pictures(known)} known already` : '';
    return `${stopped ? 'Stopped: ' : ''}${pictures(added)} added to ${into}${again}.`;
  });
}

/** Learns folder after folder and tells of each. @returns whether it was stopped before the last */
async function addAll(
  classifier: WebClassifier,
  folders: ReadonlyMap<string, readonly File[]>,
  onAdded: (label: string, report: Added) => void,
): Promise<boolean> {
  stopping = new AbortController();
  const { signal } = stopping;
  const total = [...folders.values()].reduce((sum, files) => sum + files.length, 0);
  let before = 0;
  try {
    for (const [label, files] of folders) {
      const onDone = (done: number) => (progress.value = { label, done: before + done, total });
      onAdded(label, await addFiles(classifier, label, files, signal, onDone));
      before += files.length;
    }
    return false;
  } catch (error) {
    if (!signal.aborted) throw error;
    return true;
  } finally {
    progress.value = undefined;
  }
}

type Added = Pick<AddReport, 'added' | 'duplicates' | 'unreadable'>;

function leftOut(faults: readonly string[]): string {
  return faults.length === 1 ? faults[0] : `${pictures(faults.length)} left out. The first: ${faults[0]}`;
}

async function addFiles(
  classifier: WebClassifier,
  label: string,
  files: readonly File[],
  signal: AbortSignal,
  onDone: (done: number) => void,
): Promise<Added> {
  onDone(0);
  const isKnown = classifier.classes.some((known) => known.label === label);
  const verb = isKnown ? 'addExamples' : 'addClass';
  try {
    return await classifier[verb](label, withThumbnails(files), {
      signal,
      onUnreadable: 'skip',
      onProgress: ({ done }) => onDone(done),
    });
  } catch (error) {
    // Not one of them could be read: a fault of these files, and no reason to leave the other folders out.
    const { code } = error as { readonly code?: unknown };
    if (code !== 'NO_EXAMPLES' || !(error instanceof Error)) throw error;
    const unreadable = files.map((_, index) => ({ index, source: undefined, error: error as never }));
    return { added: 0, duplicates: 0, unreadable };
  }
}

/** Each file with its id; its thumbnail is made as it goes by, so that one picture at a time is held as pixels. */
async function* withThumbnails(files: readonly File[]): AsyncGenerator<ImageInput> {
  for (const file of files) {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch {
      // The worker says what is wrong with it.
      yield file;
      continue;
    }
    const id = await fileId(bytes);
    await thumbnailOf(id, file);
    yield { image: bytes, id, source: file.name };
  }
}

async function thumbnailOf(id: string, file: Blob): Promise<void> {
  try {
    const image = await createImageBitmap(file);
    await keepThumbnail(id, image);
    image.close();
    remember(id);
  } catch {
    // No picture: the classifier leaves it out, and says why.
  }
}

/** Puts an example first in its class's row. */
export function remember(id: string): void {
  newest.value = [id, ...newest.value.filter((other) => other !== id)].slice(0, MOST_NEWEST);
}

export function learnSample(): Promise<boolean> {
  return change(async (classifier) => {
    const draw = async (kind: (typeof SAMPLE_KINDS)[number]) =>
      [kind, await Promise.all(Array.from({ length: EXAMPLES_EACH }, (_, i) => samplePicture(kind, i)))] as const;
    const drawn = new Map(await Promise.all(SAMPLE_KINDS.map(draw)));
    let learnt = 0;
    await addAll(classifier, drawn, () => learnt++);
    return learnt === 0 ? undefined : `${learnt} classes learned from ${EXAMPLES_EACH} drawings each.`;
  });
}

/** A name waits for its first picture. @returns the name as it stands, or undefined where it is blank */
export function draftClass(name: string): string | undefined {
  const label = name.trim().normalize('NFC');
  if (label === '') return undefined;
  if (isTaken(label)) say(`There is a class “${label}” already.`);
  else drafts.value = [...drafts.value, label];
  return label;
}

function isTaken(label: string): boolean {
  return learned.value.some((known) => known.label === label) || drafts.value.includes(label);
}

/** A name that no class has: `Class 1`, `Class 2`, ... */
export function freeName(): string {
  let number = 1;
  while (isTaken(`Class ${number}`)) number++;
  return `Class ${number}`;
}

export async function renameClass(from: string, name: string): Promise<boolean> {
  const to = name.trim().normalize('NFC');
  if (to === from || to === '') return false;
  if (isTaken(to)) {
    const merge = { name: 'Merge them', run: () => void mergeClasses(from, to) };
    say(`There is a class “${to}” already.`, { tone: 'error', action: merge });
    return false;
  }
  if (drafts.value.includes(from)) {
    drafts.value = drafts.value.filter((draft) => draft !== from);
    draftClass(to);
    return true;
  }
  return change(async (classifier) => {
    await classifier.renameClass(from, to);
    return `“${from}” is now “${to}”.`;
  });
}

export async function mergeClasses(from: string, into: string): Promise<boolean> {
  if (drafts.value.includes(from) || drafts.value.includes(into)) {
    const draft = drafts.value.includes(from) ? from : into;
    drafts.value = drafts.value.filter((other) => other !== draft);
    return draft === from ? true : renameClass(from, into);
  }
  return change(async (classifier) => {
    await classifier.mergeClasses(from, into);
    return `“${from}” went into “${into}”.`;
  });
}

export async function deleteClass(label: string): Promise<boolean> {
  if (drafts.value.includes(label)) {
    drafts.value = drafts.value.filter((draft) => draft !== label);
    return true;
  }
  return change(async (classifier) => {
    await classifier.removeClass(label);
    return `“${label}” was deleted.`;
  });
}

export function forgetExample(label: string, id: string): Promise<boolean> {
  return change(async (classifier) => {
    const count = classifier.classes.find((known) => known.label === label)?.count ?? 0;
    if (count <= 1) await classifier.removeClass(label);
    else await classifier.removeExamples(label, [id]);
    return `1 picture taken out of “${label}”.`;
  });
}
