/** Looks at a video again and again: the newest frame, one at a time, never a queue. */

import { expected, ImprintError } from '@imprint/core';
import { requireVideo } from './require-page.ts';
import type { Watched, WatchOptions, WebClassifier } from './web-classifier.ts';

const DEFAULT_FPS = 5;

/** Yields answers to the newest frame as `WebClassifier.watch` says; elsewhere it waits. */
export async function* watchVideo<Label extends string>(
  classifier: WebClassifier<Label>,
  video: HTMLVideoElement,
  { fps = DEFAULT_FPS, signal, ...options }: WatchOptions,
  disposed: AbortSignal,
): AsyncGenerator<Watched<Label>, void, undefined> {
  requireVideo(video);
  if (!(fps > 0)) throw expected('fps', 'a number above 0', fps);
  // Without frame callbacks every look at a playing video is taken to be a new one.
  const tellsFrames = 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
  const over = new AbortController();
  let wake = () => {};
  let isFresh = true;
  let failures = 0;
  let nextAt = 0;
  let handle = 0;
  let wasCamera = false;
  const refresh = () => {
    isFresh = true;
    wake();
  };
  const onFrame = () => {
    refresh();
    handle = video.requestVideoFrameCallback(onFrame);
  };
  if (tellsFrames) handle = video.requestVideoFrameCallback(onFrame);
  for (const event of ['loadeddata', 'seeked', 'ended', 'error', 'emptied']) {
    video.addEventListener(event, refresh, { signal: over.signal });
  }
  document.addEventListener('visibilitychange', () => wake(), { signal: over.signal });
  for (const end of [signal, disposed]) end?.addEventListener('abort', () => wake(), { signal: over.signal });
  // The same frame may have another answer now.
  const unlisten = classifier.onChange(refresh);
  try {
    while (!signal?.aborted) {
      disposed.throwIfAborted();
      // A camera that was switched off by `stop` leaves an empty video.
      if (isOver(video) || (wasCamera && video.srcObject === null)) return;
      wasCamera = video.srcObject instanceof MediaStream;
      const pauseMs = nextAt - performance.now();
      const isNew = isFresh || (!tellsFrames && !video.paused);
      // HAVE_CURRENT_DATA
      const isReady = isNew && !document.hidden && video.readyState >= 2 && video.videoWidth > 0;
      if (!isReady || pauseMs > 0) {
        const waitMs = pauseMs > 0 ? pauseMs : tellsFrames ? Infinity : 1000 / fps;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (waitMs < Infinity) setTimeout(resolve, waitMs);
        });
        continue;
      }
      isFresh = false;
      const start = performance.now();
      nextAt = start + 1000 / fps;
      try {
        const prediction = await classifier.classify(video, signal === undefined ? options : { ...options, signal });
        failures = 0;
        yield { prediction, elapsedMs: performance.now() - start };
      } catch (error) {
        if (signal?.aborted) return;
        // A worker that ends is followed by another: the next frame is for that one.
        const isRestarting = error instanceof ImprintError && error.code === 'DEVICE_UNAVAILABLE' && failures++ === 0;
        if (!isRestarting) throw error;
        isFresh = true;
      }
    }
  } finally {
    over.abort();
    unlisten();
    if (tellsFrames) video.cancelVideoFrameCallback(handle);
  }
}

/** Whether a recorded video has shown its last frame. @throws where it cannot go on */
function isOver(video: HTMLVideoElement): boolean {
  const { error, srcObject, ended } = video;
  if (error !== null) {
    throw new ImprintError(
      'IMAGE_UNREADABLE',
      `Expected a video that plays, got: ${error.message || `media error ${error.code}`}. Check its address and format.`,
    );
  }
  const isCamera = srcObject instanceof MediaStream;
  if (isCamera && srcObject.getVideoTracks().every(({ readyState }) => readyState === 'ended')) {
    throw new ImprintError(
      'CAMERA_UNAVAILABLE',
      'Expected a camera that goes on, but it has stopped: it was disconnected, or its permission was withdrawn. Connect it and open it again.',
    );
  }
  return ended && !isCamera;
}
