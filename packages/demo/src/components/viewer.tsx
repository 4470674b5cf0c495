/** What the page looks at: the camera, a picture, or an invitation to show one. */

import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { askAbout, askCamera, lookAway, subject } from '../state/ask.ts';
import { cameraFault, facing, hasSeveral, isStarting, switchCamera, video } from '../state/camera.ts';
import { recording } from '../state/record.ts';
import { Icon } from './icons.tsx';
import { PickFiles } from './pick-files.tsx';

export function Viewer(): JSX.Element {
  const seen = subject.value;
  const isOn = seen.kind === 'camera';
  return (
    <div class="viewer">
      <div class={`viewer-frame viewer-${seen.kind}${recording.value ? ' is-recording' : ''}`}>
        {isOn && <CameraView />}
        {seen.kind === 'picture' && <img src={seen.url} alt={`The picture asked about: ${seen.name}`} />}
        {seen.kind === 'none' && (
          <div class="viewer-empty">
            <Icon name="picture" />
            <p>
              {isStarting.value
                ? 'Waiting for the camera…'
                : 'Drop or paste a picture here, or point a camera at something.'}
            </p>
          </div>
        )}
      </div>
      {cameraFault.value !== undefined && (
        <p class="fault" role="alert">
          {cameraFault.value}
        </p>
      )}
      <div class="viewer-tools">
        <button type="button" class="button" aria-pressed={isOn} onClick={() => (isOn ? lookAway() : void askCamera())}>
          <Icon name="camera" />
          {isOn ? 'Stop camera' : 'Use camera'}
        </button>
        <PickFiles multiple={false} onPick={([file]) => askAbout(file, file.name)}>
          <Icon name="picture" />
          Choose picture
        </PickFiles>
        {isOn && hasSeveral.value && (
          <button type="button" class="icon-button" aria-label="Other camera" onClick={() => void switchCamera()}>
            <Icon name="turn" />
          </button>
        )}
        {seen.kind === 'picture' && (
          <button type="button" class="icon-button" aria-label="Take the picture away" onClick={lookAway}>
            <Icon name="close" />
          </button>
        )}
      </div>
    </div>
  );
}

/** Shows the very element whose frames are read. */
function CameraView(): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    place.current?.append(video);
    // A video that was taken out of the page is paused.
    void video.play().catch(() => undefined);
    return () => video.remove();
  }, []);
  return <div ref={place} class={facing.value === 'user' ? 'camera mirrored' : 'camera'} />;
}
