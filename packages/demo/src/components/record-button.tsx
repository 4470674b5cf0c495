/** Held by pointer, space or enter, it records; clicked by a machine (a screen reader's double tap), it takes one picture. */

import type { JSX } from 'preact';
import { recording, startRecording, stopRecording } from '../state/record.ts';
import { Icon } from './icons.tsx';

export function RecordButton({ label }: { readonly label: string }): JSX.Element {
  const now = recording.value?.label === label ? recording.value : undefined;
  const begin = () => void startRecording(label);
  return (
    <button
      type="button"
      class={now ? 'button record is-recording' : 'button record'}
      aria-label={`Hold to record ${label} from the camera`}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        begin();
      }}
      onPointerUp={stopRecording}
      onPointerCancel={stopRecording}
      onLostPointerCapture={stopRecording}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (event.key !== ' ' && event.key !== 'Enter') return;
        event.preventDefault();
        if (!event.repeat) begin();
      }}
      onKeyUp={(event) => {
        if (event.key === ' ' || event.key === 'Enter') stopRecording();
      }}
      onBlur={stopRecording}
      onClick={(event) => {
        // Neither a pointer nor a key was held before this click.
        if ((event as unknown as PointerEvent).pointerType || event.detail > 0) return;
        begin();
        stopRecording();
      }}
    >
      <Icon name="camera" />
      {now === undefined ? 'Hold to record' : now.taken === 0 ? 'Recording…' : `Recording ${now.taken}`}
    </button>
  );
}
