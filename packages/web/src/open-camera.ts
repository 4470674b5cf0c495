/** The door to a camera: refusals become stated errors, and what was opened is closed again. */

import { expected, ImprintError, requireOptions, type ImprintErrorCode } from '@imprint/core';
import { dispose } from './dispose-symbols.ts';
import { requirePage, requireVideo } from './require-page.ts';

export interface CameraOptions {
  /** Of several cameras: the one that looks at the person (default), or away from them. */
  readonly facing?: 'user' | 'environment';
  /** Wished width of the picture, in pixels. Default 640. */
  readonly width?: number;
  readonly signal?: AbortSignal;
}

export interface Camera extends Disposable {
  readonly stream: MediaStream;
  /** Switches the camera, and its light, off; empties the video. Idempotent. */
  stop(): void;
}

/** Whether it can be mended by the person, and how, by the name of what getUserMedia rejects with. */
const REFUSALS: Readonly<Record<string, readonly [ImprintErrorCode, string, string]>> = {
  NotAllowedError: [
    'CAMERA_REFUSED',
    'a refusal',
    'Allow the camera for this page in the browser\'s address bar and in the system\'s settings, and try again. In a frame it needs allow="camera".',
  ],
  NotFoundError: ['CAMERA_UNAVAILABLE', 'none', 'Connect one, or choose pictures from files.'],
  NotReadableError: [
    'CAMERA_UNAVAILABLE',
    'one that another program uses, or that does not work',
    'Close other programs that use it, and try again.',
  ],
};

/**
 * Shows a camera in `video`, and resolves when its first frame is there.
 *
 *     using camera = await openCamera(video);
 *     for await (const { prediction } of classifier.watch(video, { signal })) show(prediction);
 *
 * @throws CAMERA_REFUSED where the person, the browser or a policy says no; CAMERA_UNAVAILABLE where there is none or it does
 *   not work; UNSUPPORTED on a page that is not secure, and elsewhere; INVALID_ARGUMENT
 *   where `video` is no video; the signal's reason
 */
export async function openCamera(video: HTMLVideoElement, options: CameraOptions = {}): Promise<Camera> {
  const { facing = 'user', width = 640, signal } = requireOptions(options);
  requirePage('openCamera');
  requireVideo(video);
  if (facing !== 'user' && facing !== 'environment') throw expected('facing', "'user' or 'environment'", facing);
  if (!(width > 0)) throw expected('width', 'a number above 0', width);
  signal?.throwIfAborted();
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  if (mediaDevices === undefined) {
    const message =
      'Expected a page that may use a camera, got one that is not secure. Serve it by https, or from localhost.';
    throw new ImprintError('UNSUPPORTED', message);
  }
  let stream: MediaStream;
  try {
    stream = await mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: width } } });
  } catch (cause) {
    const { name, message } = cause as DOMException;
    const [code, got, next] = REFUSALS[name] ?? ['CAMERA_UNAVAILABLE', `${name}: ${message}`, 'Try again.'];
    throw new ImprintError(code, `Expected a camera, got ${got}. ${next}`, { cause });
  }
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    if (video.srcObject === stream) video.srcObject = null;
  };
  try {
    signal?.throwIfAborted();
    video.srcObject = stream;
    // Without these a phone shows the video full screen, or not at all.
    video.muted = true;
    video.playsInline = true;
    await video.play();
    signal?.throwIfAborted();
  } catch (error) {
    stop();
    if ((error as Error).name !== 'AbortError' || signal?.aborted) throw error;
    const message =
      'Expected a video that shows this camera, got one that was given another source meanwhile. Open one camera for a video.';
    throw new ImprintError('CAMERA_UNAVAILABLE', message, { cause: error });
  }
  return { stream, stop, [dispose]: stop };
}
