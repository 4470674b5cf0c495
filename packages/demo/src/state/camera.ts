/** The camera: one stream for the whole page, shown wherever it is needed. */

import { signal } from '@preact/signals';
import { ImprintError, openCamera, type Camera } from '@imprint/web';

export const stream = signal<MediaStream | undefined>(undefined);
export const isStarting = signal(false);
/** Why there is no picture, in a sentence for a person. */
export const cameraFault = signal<string | undefined>(undefined);
export const hasSeveral = signal(false);
/** The camera at the front shows a mirror image, as people expect of themselves. */
export const facing = signal<'user' | 'environment'>(matchMedia('(pointer: coarse)').matches ? 'environment' : 'user');

/** The one element whose frames are learned and asked about; the viewer shows it while the camera is on. */
export const video = document.createElement('video');
video.setAttribute('aria-label', 'Camera');

let camera: Camera | undefined;

/** Resolves when there is a frame to be read. @returns whether there is one */
export async function startCamera(): Promise<boolean> {
  if (stream.value !== undefined) return true;
  if (isStarting.value) return false;
  isStarting.value = true;
  cameraFault.value = undefined;
  try {
    camera = await openCamera(video, { facing: facing.value, width: 1280 });
    for (const track of camera.stream.getTracks()) {
      track.addEventListener('ended', () => {
        stopCamera();
        cameraFault.value = 'The camera was unplugged, or another program took it. Start it again.';
      });
    }
    stream.value = camera.stream;
    const devices = await navigator.mediaDevices.enumerateDevices();
    hasSeveral.value = devices.filter(({ kind }) => kind === 'videoinput').length > 1;
    return true;
  } catch (error) {
    stopCamera();
    cameraFault.value = inWords(error);
    return false;
  } finally {
    isStarting.value = false;
  }
}

/** A refusal in words for a person rather than a developer; every other error has such words. */
function inWords(error: unknown): string {
  if (error instanceof ImprintError && error.code === 'CAMERA_REFUSED') {
    return 'The camera was refused. Allow the camera for this page in the browser’s address bar and in the system’s settings, and try again; or choose pictures instead.';
  }
  return error instanceof Error ? error.message : String(error);
}

export function stopCamera(): void {
  camera?.stop();
  camera = undefined;
  stream.value = undefined;
}

export async function switchCamera(): Promise<void> {
  facing.value = facing.value === 'user' ? 'environment' : 'user';
  stopCamera();
  await startCamera();
}

/** A copy of the newest frame. The caller closes it. */
export function grabFrame(): Promise<ImageBitmap> {
  return createImageBitmap(video);
}
