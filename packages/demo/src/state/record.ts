/** Hold to record: the camera's frames become examples of a class for as long as a button is held, as one change. */

import { signal } from '@preact/signals';
import { frameId } from '../pictures/example-id.ts';
import { grabFrame, startCamera } from './camera.ts';
import { change } from './change.ts';
import { ready } from './session.ts';
import { pictures, remember } from './learn.ts';
import { keepThumbnail } from './thumbnails.ts';

/** The class that is recorded at this moment, and how many pictures it got. */
export const recording = signal<{ readonly label: string; readonly taken: number } | undefined>(undefined);

const FRAMES_A_SECOND = 4;
let held: symbol | undefined;

/** Records until `stopRecording`; at least one picture, however short the press. */
export async function startRecording(label: string): Promise<void> {
  if (recording.value !== undefined) return;
  const press = Symbol();
  held = press;
  recording.value = { label, taken: 0 };
  try {
    // While the camera or the classifier is still waking, nothing waits in line behind the recording.
    if (!(await startCamera())) return;
    await ready();
    await change(async (classifier) => {
      let taken = 0;
      do {
        const start = performance.now();
        const frame = await grabFrame();
        try {
          const id = frameId();
          await keepThumbnail(id, frame);
          await classifier.addExample(label, { image: frame, id, source: 'camera' });
          remember(id);
        } finally {
          frame.close();
        }
        recording.value = { label, taken: ++taken };
        const pause = 1000 / FRAMES_A_SECOND - (performance.now() - start);
        if (held === press && pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      } while (held === press);
      return `${pictures(taken)} recorded for “${label}”.`;
    });
  } catch {
    // Why there is no classifier, the page shows already.
  } finally {
    recording.value = undefined;
  }
}

export function stopRecording(): void {
  held = undefined;
}
