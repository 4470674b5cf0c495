/** What the page is looking at, and the classifier's answer to it: the camera live, or one picture. */

import { batch, computed, effect, signal, untracked } from '@preact/signals';
import type { Prediction } from '@imprint/web';
import { stream, startCamera, stopCamera, video } from './camera.ts';
import { classifier, exampleIds, learned } from './session.ts';
import { recording } from './record.ts';
import { sayError } from './toasts.ts';

export type Subject =
  | { readonly kind: 'none' }
  | { readonly kind: 'camera' }
  | { readonly kind: 'picture'; readonly file: Blob; readonly name: string; readonly url: string };

export interface Answer {
  readonly prediction: Prediction;
  /** From the question to its answer, in milliseconds. */
  readonly elapsedMs: number;
}

export const subject = signal<Subject>({ kind: 'none' });
export const answer = signal<Answer | undefined>(undefined);
/** Median of the last answers, in milliseconds: one slow frame says little. */
export const speedMs = signal<number | undefined>(undefined);

/** Something is known to compare with. A value of its own, so that one more example does not restart the camera's loop. */
const canAnswer = computed(() => classifier.value !== undefined && learned.value.length > 0);
/** Recording has the model to itself: live answers would take its turns. */
const isRecording = computed(() => recording.value !== undefined);

const FRAMES_A_SECOND = 8;
const NEAREST = 5;
const recent: number[] = [];

function show(next: Answer): void {
  recent.push(next.elapsedMs);
  if (recent.length > 9) recent.shift();
  batch(() => {
    answer.value = next;
    speedMs.value = [...recent].sort((a, b) => a - b)[recent.length >> 1];
  });
}

/** Looks at one picture. */
export function askAbout(file: Blob, name: string): void {
  stopCamera();
  setSubject({ kind: 'picture', file, name, url: URL.createObjectURL(file) });
}

export async function askCamera(): Promise<void> {
  if (await startCamera()) setSubject({ kind: 'camera' });
}

export function lookAway(): void {
  stopCamera();
  setSubject({ kind: 'none' });
}

function setSubject(next: Subject): void {
  const before = subject.value;
  if (before.kind === 'picture') URL.revokeObjectURL(before.url);
  batch(() => {
    subject.value = next;
    answer.value = undefined;
  });
}

/** Answers again whenever the subject or what is known changes. Called once. */
export function keepAnswering(): void {
  // Recording starts the camera too: it is looked at from then on.
  effect(() => {
    if (stream.value !== undefined) untracked(() => subject.value.kind !== 'camera' && setSubject({ kind: 'camera' }));
    else untracked(() => subject.value.kind === 'camera' && setSubject({ kind: 'none' }));
  });
  effect(() => {
    const asked = subject.value;
    const opened = classifier.value;
    if (!canAnswer.value || asked.kind === 'none') {
      answer.value = undefined;
      return;
    }
    if (asked.kind === 'picture') void exampleIds.value;
    if (asked.kind === 'camera' && isRecording.value) return;
    const abort = new AbortController();
    void (asked.kind === 'picture' ? once(asked.file) : live());
    return () => abort.abort();

    async function once(file: Blob): Promise<void> {
      const start = performance.now();
      try {
        const prediction = await opened!.classify(file, { nearest: NEAREST, signal: abort.signal });
        if (!abort.signal.aborted) show({ prediction, elapsedMs: performance.now() - start });
      } catch (error) {
        if (!abort.signal.aborted) fail(error);
      }
    }

    async function live(): Promise<void> {
      try {
        for await (const seen of opened!.watch(video, {
          fps: FRAMES_A_SECOND,
          nearest: NEAREST,
          signal: abort.signal,
        })) {
          if (abort.signal.aborted) return;
          show(seen);
        }
      } catch (error) {
        if (!abort.signal.aborted) fail(error);
      }
    }
  });
}

function fail(error: unknown): void {
  setSubject({ kind: 'none' });
  stopCamera();
  sayError(error);
}
