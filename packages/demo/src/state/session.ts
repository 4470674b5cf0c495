/** The page's one classifier, and what of it is on show: classes, device, the ids of every class's examples. */

import { batch, computed, signal } from '@preact/signals';
import { createClassifier, type DeviceReport, type StorageReport, type WebClassifier } from '@imprint/web';
import { say, sayError } from './toasts.ts';

export interface ShownClass {
  readonly label: string;
  readonly count: number;
}

/** Where everything learned is kept on this device. */
const STORE = 'imprint-demo';

export const classifier = signal<WebClassifier | undefined>(undefined);
export const failure = signal<Error | undefined>(undefined);
export const learned = signal<readonly ShownClass[]>([]);
export const device = signal<DeviceReport | undefined>(undefined);
export const storage = signal<StorageReport | undefined>(undefined);
/** Ids of every class's examples, in the file's order. */
export const exampleIds = signal<ReadonlyMap<string, readonly string[]>>(new Map());
/** Names that were given to classes before their first picture. */
export const drafts = signal<readonly string[]>([]);

/** Everything that has a card: what was learned, then what waits for its first picture. */
export const cards = computed<readonly ShownClass[]>(() => {
  const known = new Set(learned.value.map(({ label }) => label));
  const waiting = drafts.value.filter((label) => !known.has(label));
  return [...learned.value, ...waiting.map((label) => ({ label, count: 0 }))];
});
export const numExamples = computed(() => learned.value.reduce((sum, { count }) => sum + count, 0));

let opening: Promise<WebClassifier> | undefined;

/** The classifier, once it is there. @throws why it is not */
export function ready(): Promise<WebClassifier> {
  opening ??= open();
  return opening;
}

async function open(): Promise<WebClassifier> {
  try {
    const opened = await createClassifier({ store: STORE, onNotice: ({ message }) => say(message) });
    opened.onChange(() => void refresh(opened));
    batch(() => {
      classifier.value = opened;
      device.value = opened.device;
    });
    opened.onNotice(({ kind }) => {
      if (kind === 'device') device.value = opened.device;
    });
    await refresh(opened);
    return opened;
  } catch (error) {
    failure.value = error instanceof Error ? error : new Error(String(error));
    throw error;
  }
}

let refreshing: Promise<void> | undefined;
let isStale = false;

/** Reads again what is on show; of several changes in a row, the last reading counts. */
export function refresh(opened: WebClassifier): Promise<void> {
  isStale = true;
  refreshing ??= read(opened).finally(() => (refreshing = undefined));
  return refreshing;
}

async function read(opened: WebClassifier): Promise<void> {
  while (isStale) {
    isStale = false;
    try {
      const classes = opened.classes.map(({ label, count }) => ({ label, count }));
      const ids = await Promise.all(
        classes.map(async ({ label }) => [label, (await opened.examples(label)).map(({ id }) => id)] as const),
      );
      if (isStale) continue;
      batch(() => {
        learned.value = classes;
        exampleIds.value = new Map(ids);
        drafts.value = drafts.value.filter((draft) => !classes.some(({ label }) => label === draft));
      });
    } catch (error) {
      // Another change came in between, and has this function read once more; any other error is worth a word.
      if (!isStale) sayError(error);
    }
  }
  storage.value = await opened.storage().catch(() => undefined);
}
