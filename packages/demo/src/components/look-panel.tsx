/** The right side: show it something, and read what it takes it for. */

import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { droppedFiles, hasFiles } from '../pictures/dropped-files.ts';
import { askAbout } from '../state/ask.ts';
import { learnDropped } from '../state/learn-dropped.ts';
import { AnswerView } from './answer-view.tsx';
import { SampleTray } from './sample-tray.tsx';
import { Viewer } from './viewer.tsx';

export function LookPanel(): JSX.Element {
  const [isOver, setOver] = useState(false);
  const onDrop = async (event: DragEvent) => {
    setOver(false);
    if (event.dataTransfer === null || !hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    event.stopPropagation();
    const dropped = await droppedFiles(event.dataTransfer);
    const [picture] = dropped.loose;
    if (picture === undefined) await learnDropped(dropped);
    else askAbout(picture, picture.name);
  };
  return (
    <section
      class={isOver ? 'look is-over' : 'look'}
      aria-labelledby="look-title"
      onDragOver={(event) => {
        if (!hasFiles(event.dataTransfer)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => void onDrop(event)}
    >
      <h2 id="look-title">What is this?</h2>
      <Viewer />
      <SampleTray />
      <AnswerView />
    </section>
  );
}
