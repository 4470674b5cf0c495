/// <reference lib="esnext.disposable" preserve="true" />
/** React hooks: a classifier that lives as long as its component, and its answers to a video. */
'use client';

import { useCallback, useEffect, useState, useSyncExternalStore, type RefObject } from 'react';
import { classifierSession, NOT_BEGUN, type SessionOptions, type SessionState } from './classifier-session.ts';
import type { Watched, WatchOptions, WebClassifier } from './web-classifier.ts';

export type UseClassifierOptions = SessionOptions;
export type UsedClassifier<Label extends string = string> = SessionState<Label>;

/**
 * A classifier for this component. Renders again when it is ready, when its classes change, and at every notice; disposes it
 * after unmounting. Options are compared by value: others begin another classifier. On a server it is `loading`.
 */
export function useClassifier<Label extends string = string>(
  options: UseClassifierOptions = {},
): UsedClassifier<Label> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const key = JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1)));
  const [held, setHeld] = useState(() => ({ key, session: classifierSession<Label>(options) }));
  const current = held.key === key ? held : { key, session: classifierSession<Label>(options) };
  if (current !== held) setHeld(current);
  const { subscribe, state } = current.session;
  return useSyncExternalStore(subscribe, state, () => NOT_BEGUN);
}

export interface UsedPrediction<Label extends string = string> extends Partial<Watched<Label>> {
  /** Why the answers ended, where they did. */
  readonly error?: Error;
}

/**
 * The newest answer to what `video` shows: nothing while there is no class, no video or no classifier yet.
 * A video that is mounted later than this component is seen at the next render.
 */
export function usePrediction<Label extends string = string>(
  classifier: WebClassifier<Label> | undefined,
  video: RefObject<HTMLVideoElement | null>,
  options: Omit<WatchOptions, 'signal'> = {},
): UsedPrediction<Label> {
  const { fps, top, nearest } = options;
  const [answer, setAnswer] = useState<UsedPrediction<Label>>({});
  const [element, setElement] = useState<HTMLVideoElement | null>(null);
  const subscribe = useCallback((listener: () => void) => classifier?.onChange(listener) ?? (() => {}), [classifier]);
  const hasClasses = () => classifier !== undefined && classifier.classes.length > 0;
  const canAnswer = useSyncExternalStore(subscribe, hasClasses, () => false);

  useEffect(() => setElement(video.current));
  useEffect(() => {
    if (classifier === undefined || element === null || !canAnswer) return;
    const abort = new AbortController();
    const given = Object.entries({ fps, top, nearest }).filter(([, value]) => value !== undefined);
    void (async () => {
      try {
        const options: WatchOptions = { ...Object.fromEntries(given), signal: abort.signal };
        for await (const watched of classifier.watch(element, options)) setAnswer(watched);
      } catch (error) {
        if (!abort.signal.aborted) setAnswer({ error: error instanceof Error ? error : new Error(String(error)) });
      }
    })();
    return () => {
      abort.abort();
      setAnswer({});
    };
  }, [classifier, element, canAnswer, fps, top, nearest]);
  return answer;
}
