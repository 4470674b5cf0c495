/** One classifier's life behind a component: begun by the first listener, ended after the last. */

import { createClassifier } from './create-classifier.ts';
import type { CreateClassifierOptions, Notice, WebClassifier } from './web-classifier.ts';

/** What a component may ask for: all that `createClassifier` takes, but what the session itself needs. */
export type SessionOptions = Omit<CreateClassifierOptions, 'signal' | 'onNotice'>;

export interface SessionState<Label extends string = string> {
  readonly status: 'loading' | 'ready' | 'error';
  /** Once `ready`. */
  readonly classifier: WebClassifier<Label> | undefined;
  /** Why there is no classifier, where `status` is `error`. */
  readonly error: Error | undefined;
  readonly classes: WebClassifier<Label>['classes'];
  readonly numExamples: number;
  /** The newest notices, at most 20, oldest first. */
  readonly notices: readonly Notice[];
}

export interface ClassifierSession<Label extends string = string> {
  /** A frozen value, replaced at every change. */
  state(): SessionState<Label>;
  /** Returns what ends the subscription. */
  subscribe(listener: () => void): () => void;
}

const KEPT_NOTICES = 20;

/** The state before anything was begun; also what a server renders. */
export const NOT_BEGUN: SessionState<never> = Object.freeze({
  status: 'loading',
  classifier: undefined,
  error: undefined,
  classes: [],
  numExamples: 0,
  notices: [],
});

/**
 * A session that has begun nothing yet. The classifier is disposed a turn after the last listener went, so that a remount
 * in the same turn (React's StrictMode, an element moved in its document) keeps its worker.
 */
export function classifierSession<Label extends string = string>(options: SessionOptions): ClassifierSession<Label> {
  const listeners = new Set<() => void>();
  let state: SessionState<Label> = NOT_BEGUN;
  let running: AbortController | undefined;

  function change(next: Partial<SessionState<Label>>): void {
    state = Object.freeze({ ...state, ...next });
    for (const listener of [...listeners]) listener();
  }

  async function run(abort: AbortController): Promise<void> {
    const { signal } = abort;
    const onNotice = (notice: Notice) => {
      if (!signal.aborted) change({ notices: [...state.notices, notice].slice(-KEPT_NOTICES) });
    };
    try {
      const classifier = await createClassifier<Label>({ ...options, signal, onNotice });
      if (signal.aborted) return void classifier.dispose();
      signal.addEventListener('abort', () => void classifier.dispose(), { once: true });
      const learned = () => ({ classes: classifier.classes, numExamples: classifier.numExamples });
      classifier.onChange(() => {
        if (!signal.aborted) change(learned());
      });
      change({ status: 'ready', classifier, ...learned() });
    } catch (error) {
      if (signal.aborted) return;
      change({ status: 'error', error: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  function endIfUnused(): void {
    if (listeners.size > 0 || running === undefined) return;
    running.abort();
    running = undefined;
    state = NOT_BEGUN;
  }

  return {
    state: () => state,
    subscribe(listener) {
      // A function of its own, so that one listener may subscribe twice.
      const own = () => listener();
      listeners.add(own);
      if (running === undefined) {
        running = new AbortController();
        void run(running);
      }
      return () => {
        listeners.delete(own);
        setTimeout(endIfUnused, 0);
      };
    },
  };
}
