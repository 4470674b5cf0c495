/** Changes, one after the other, each with its way back: the classifier's whole content as it was before. */

import { signal } from '@preact/signals';
import type { WebClassifier } from '@imprint/web';
import { ready, refresh } from './session.ts';
import { dismiss, say, sayError } from './toasts.ts';

interface Step {
  /** The change in words, as in `Undone: “Cup” was deleted.` */
  readonly what: string;
  readonly before: Uint8Array;
  /** Hash of the content that it made: another one now is another tab's, and must not be lost. */
  readonly after: string;
}

const MOST_STEPS = 20;

const done = signal<readonly Step[]>([]);
const undone = signal<readonly Step[]>([]);
let last: Promise<unknown> = Promise.resolve();
let shown = -1;

/** Says the newest change, in place of the one before: there is one way back at a time. */
function tell(message: string, way: 'Undo' | 'Redo'): void {
  dismiss(shown);
  shown = say(message, { action: { name: way, run: () => void (way === 'Undo' ? undo() : redo()) } });
}

/** Runs after everything that was begun before, whether that went well or not. */
function inTurn<T>(action: () => Promise<T>): Promise<T> {
  const turn = last.then(action);
  last = turn.catch(() => undefined);
  return turn;
}

/**
 * Makes a change and says so, with a button to undo it; where it fails, says why, and nothing has changed.
 * @param make does it, and says in words what was done; nothing (undefined) where nothing was
 * @returns whether something was changed
 */
export function change(make: (classifier: WebClassifier) => Promise<string | undefined>): Promise<boolean> {
  return inTurn(async () => {
    try {
      const classifier = await ready();
      const before = await classifier.snapshot();
      const what = await make(classifier);
      await refresh(classifier);
      if (what === undefined) return false;
      done.value = [...done.value, { what, before, after: await classifier.hash() }].slice(-MOST_STEPS);
      undone.value = [];
      tell(what, 'Undo');
      return true;
    } catch (error) {
      sayError(error);
      return false;
    }
  });
}

/** Takes the last change back. */
export function undo(): Promise<void> {
  return inTurn(async () => {
    const step = done.value.at(-1);
    if (step === undefined) {
      say('There is nothing to undo.');
      return;
    }
    const back = await restore(step);
    if (back === undefined) return;
    done.value = done.value.slice(0, -1);
    undone.value = [...undone.value, back];
    tell(`Undone: ${step.what}`, 'Redo');
  });
}

/** Makes the change that was taken back last once more. */
export function redo(): Promise<void> {
  return inTurn(async () => {
    const step = undone.value.at(-1);
    if (step === undefined) return;
    const back = await restore(step);
    if (back === undefined) return;
    undone.value = undone.value.slice(0, -1);
    done.value = [...done.value, back];
    tell(step.what, 'Undo');
  });
}

/** Puts the content before a step in place of the present one. @returns the step back; undefined where it failed */
async function restore({ what, before, after }: Step): Promise<Step | undefined> {
  try {
    const classifier = await ready();
    if ((await classifier.hash()) !== after) {
      say('Something was changed in another tab since. Undoing this would lose it, so nothing was done.', {
        tone: 'error',
      });
      return undefined;
    }
    const now = await classifier.snapshot();
    await classifier.import(before);
    await refresh(classifier);
    return { what, before: now, after: await classifier.hash() };
  } catch (error) {
    sayError(error);
    return undefined;
  }
}
