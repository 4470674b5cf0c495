/** Before anything is known: one sentence, and three ways to begin. */

import type { JSX } from 'preact';
import { pickedFiles } from '../pictures/dropped-files.ts';
import { SAMPLE_KINDS } from '../pictures/sample.ts';
import { askCamera } from '../state/ask.ts';
import { cameraFault, isStarting } from '../state/camera.ts';
import { learnDropped } from '../state/learn-dropped.ts';
import { draftClass, freeName, learnSample, progress } from '../state/learn.ts';
import { stream } from '../state/camera.ts';
import { Icon } from './icons.tsx';
import { PickFiles } from './pick-files.tsx';
import { useDrawings } from './sample-tray.tsx';

/** The camera, and two classes to fill: with one there is nothing to tell apart. */
async function begin(): Promise<void> {
  await askCamera();
  if (stream.value === undefined) return;
  draftClass(freeName());
  draftClass(freeName());
}

export function FirstRun(): JSX.Element {
  const drawings = useDrawings(SAMPLE_KINDS, 2);
  const isLearning = progress.value !== undefined;
  return (
    <section class="first" aria-labelledby="first-title">
      <div class="fan" aria-hidden="true">
        {SAMPLE_KINDS.map((kind, index) => (
          <figure key={kind}>
            {drawings[index] ? <img src={drawings[index].url} alt="" /> : <span />}
            <figcaption>{kind}</figcaption>
          </figure>
        ))}
      </div>
      <h1 id="first-title" tabIndex={-1}>
        Show it a few examples, and it knows them.
      </h1>
      <p class="lead">
        Name a thing, show three to five pictures of it, and ask about others. It learns in a moment, on this device: no
        picture leaves this page.
      </p>
      <div class="first-ways">
        <button type="button" class="button large primary" disabled={isStarting.value} onClick={() => void begin()}>
          <Icon name="camera" />
          Use the camera
        </button>
        <PickFiles class="button large" onPick={(files) => void learnDropped(pickedFiles(files))}>
          <Icon name="picture" />
          Choose pictures
        </PickFiles>
        <button type="button" class="button large" disabled={isLearning} onClick={() => void learnSample()}>
          <Icon name="shapes" />
          Try a sample
        </button>
      </div>
      {cameraFault.value !== undefined && (
        <p class="fault" role="alert">
          {cameraFault.value}
        </p>
      )}
      <p class="hint">
        You can also drop or paste pictures anywhere, or{' '}
        <PickFiles class="link" folder onPick={(files) => void learnDropped(pickedFiles(files))}>
          a whole folder
        </PickFiles>
        : each folder in it becomes a class.
      </p>
    </section>
  );
}
