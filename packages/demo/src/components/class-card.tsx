/** One class: its name, its pictures, and the ways to give it more. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { droppedFiles, hasFiles, pickedFiles } from '../pictures/dropped-files.ts';
import { deleteClass, forgetExample, learnFiles, mergeClasses, newest, pictures, renaming } from '../state/learn.ts';
import { recording } from '../state/record.ts';
import { openFile } from '../state/files.ts';
import { cards, exampleIds, type ShownClass } from '../state/session.ts';
import { say } from '../state/toasts.ts';
import { ClassName } from './class-name.tsx';
import { Icon } from './icons.tsx';
import { LiveVideo } from './live-video.tsx';
import { Menu } from './menu.tsx';
import { merging } from './merge-dialog.tsx';
import { PickFiles } from './pick-files.tsx';
import { RecordButton } from './record-button.tsx';
import { Thumbnail } from './thumbnail.tsx';

/** Two rows; one where there are many cards. */
const FEW = 11;
const FEWER = 5;
const MANY_CARDS = 8;
const MANY = 240;
/** A card on its way to another one. */
const CLASS_TYPE = 'application/x-imprint-class';

export function ClassCard({ shown }: { readonly shown: ShownClass }): JSX.Element {
  const { label, count } = shown;
  const [isOver, setOver] = useState(false);
  const [showsAll, setShowsAll] = useState(false);
  const box = useRef<HTMLLIElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    // A card that goes leaves the focus to the list, not to nobody.
    return () => {
      if (element?.contains(document.activeElement)) focusHeading();
    };
  }, []);

  const accepts = ({ dataTransfer }: DragEvent) =>
    hasFiles(dataTransfer) || (dataTransfer?.types.includes(CLASS_TYPE) ?? false);
  const onDrop = async (event: DragEvent) => {
    setOver(false);
    if (event.dataTransfer === null || !accepts(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const other = event.dataTransfer.getData(CLASS_TYPE);
    if (other !== '') {
      if (other !== label) await mergeClasses(other, label);
      return;
    }
    const { saved, loose, folders } = await droppedFiles(event.dataTransfer);
    if (saved !== undefined) return openFile(saved);
    await learnInto(label, [...loose, ...[...folders.values()].flat()]);
  };

  return (
    <li
      ref={box}
      class={isOver ? 'card is-over' : 'card'}
      data-class={label}
      aria-label={`${label}, ${pictures(count)}`}
      onDragOver={(event) => {
        if (!accepts(event)) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => void onDrop(event)}
    >
      <header
        class="card-head"
        draggable={renaming.value !== label}
        onDragStart={({ dataTransfer }) => dataTransfer?.setData(CLASS_TYPE, label)}
      >
        <ClassName label={label} />
        <span class="count" aria-hidden="true">
          {count}
        </span>
        <Menu
          name={`More for ${label}`}
          items={[
            { name: 'Rename', run: () => (renaming.value = label) },
            { name: 'Merge into…', run: () => (merging.value = label) },
            ...(count > 0
              ? [{ name: showsAll ? 'Show fewer' : 'Take pictures out…', run: () => setShowsAll(!showsAll) }]
              : []),
            { name: 'Delete', run: () => void deleteClass(label), isDanger: true },
          ]}
        />
      </header>
      <Examples label={label} count={count} showsAll={showsAll} onShowAll={setShowsAll} />
      <div class="card-foot">
        <RecordButton label={label} />
        <PickFiles
          class="button"
          name={`Add pictures to ${label}`}
          onPick={(files) => void learnInto(label, pickedFiles(files).loose)}
        >
          <Icon name="picture" />
          Add
        </PickFiles>
      </div>
    </li>
  );
}

/** The focus goes on to the picture that moves up, for who takes several out by keyboard. */
async function takeOut(label: string, id: string, index: number, list: Element | null): Promise<void> {
  await forgetExample(label, id);
  requestAnimationFrame(() => {
    const left = [...(list?.querySelectorAll<HTMLElement>('.take-out') ?? [])];
    if (document.activeElement === document.body) left[Math.min(index, left.length - 1)]?.focus();
  });
}

async function learnInto(label: string, files: readonly File[]): Promise<void> {
  if (files.length > 0) await learnFiles(label, files);
  else say('There was no picture in that. JPEG, PNG, WebP, GIF and AVIF are read.', { tone: 'error' });
}

function focusHeading(): void {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.querySelector<HTMLElement>('main :is(h1, h2)')?.focus();
  });
}

interface ExamplesProps extends ShownClass {
  readonly showsAll: boolean;
  readonly onShowAll: (showsAll: boolean) => void;
}

function Examples({ label, count, showsAll, onShowAll }: ExamplesProps): JSX.Element {
  const isRecording = recording.value?.label === label;
  if (count === 0 && !isRecording) {
    return <p class="card-empty">No pictures yet. Three to five are a good start.</p>;
  }
  const own = new Set(exampleIds.value.get(label) ?? []);
  const first = newest.value.filter((id) => own.delete(id));
  const ids = [...first, ...own];
  const few = cards.value.length > MANY_CARDS ? FEWER : FEW;
  const room = (showsAll ? MANY : few + 1) - (isRecording ? 1 : 0);
  const some = ids.length > room ? ids.slice(0, room - 1) : ids;
  const hidden = ids.length - some.length;
  return (
    <>
      <ul class="thumbs" aria-label={`Pictures of ${label}`}>
        {isRecording && (
          <li>
            <LiveVideo />
          </li>
        )}
        {some.map((id, index) => {
          const name = `${label}, picture ${index + 1}`;
          return (
            <li key={id}>
              {showsAll ? (
                <button
                  type="button"
                  class="take-out"
                  aria-label={`Take out ${name}`}
                  onClick={({ currentTarget }) => void takeOut(label, id, index, currentTarget.closest('ul'))}
                >
                  <Thumbnail id={id} name="" />
                  <Icon name="close" />
                </button>
              ) : (
                <Thumbnail id={id} name={name} />
              )}
            </li>
          );
        })}
        {hidden > 0 && (
          <li>
            {showsAll ? (
              <span class="thumb thumb-more">+{hidden}</span>
            ) : (
              <button
                type="button"
                class="thumb thumb-more"
                aria-label={`Show ${hidden} more of ${label}`}
                onClick={() => onShowAll(true)}
              >
                +{hidden}
              </button>
            )}
          </li>
        )}
      </ul>
      {showsAll && (
        <p class="hint">
          Choose a picture to take it out.{' '}
          <button type="button" class="link" onClick={() => onShowAll(false)}>
            Done
          </button>
        </p>
      )}
    </>
  );
}
