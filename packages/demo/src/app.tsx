/** The page: what it knows on the left, what it looks at on the right. */

import { computed } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { ClassCard } from './components/class-card.tsx';
import { FirstRun } from './components/first-run.tsx';
import { Icon, Mark } from './components/icons.tsx';
import { LookPanel } from './components/look-panel.tsx';
import { MergeDialog } from './components/merge-dialog.tsx';
import { NewClass } from './components/new-class.tsx';
import { OpenDialog } from './components/open-dialog.tsx';
import { PickFiles } from './components/pick-files.tsx';
import { StatusLine } from './components/status-line.tsx';
import { Toasts } from './components/toasts.tsx';
import { droppedFiles, hasFiles } from './pictures/dropped-files.ts';
import { askAbout, subject } from './state/ask.ts';
import { redo, undo } from './state/change.ts';
import { canShare, openFile, save, share } from './state/files.ts';
import { learnFiles } from './state/learn.ts';
import { learnDropped } from './state/learn-dropped.ts';
import { forgetKept } from './state/offline.ts';
import { cards, classifier, failure, learned } from './state/session.ts';

const isEmpty = computed(() => cards.value.length === 0 && subject.value.kind === 'none');

export function App(): JSX.Element {
  useEffect(() => {
    const listeners = { keydown: onKeyDown, paste: onPaste, dragover: onDragOver, drop: onDrop } as const;
    const entries = Object.entries(listeners) as [string, EventListener][];
    for (const [type, listener] of entries) document.addEventListener(type, listener);
    return () => entries.forEach(([type, listener]) => document.removeEventListener(type, listener));
  }, []);
  const isLoading = classifier.value === undefined && failure.value === undefined;
  return (
    <>
      {isLoading && <div class="loading" role="progressbar" aria-label="Loading the model" />}
      <Header />
      <main class={isEmpty.value ? 'page is-empty' : 'page'}>
        {failure.value !== undefined && <Failure message={failure.value.message} />}
        {isEmpty.value ? (
          <FirstRun />
        ) : (
          <>
            <section class="known" aria-labelledby="known-title">
              <h2 id="known-title" tabIndex={-1}>
                What it knows
              </h2>
              <ul class="cards">
                {cards.value.map((shown) => (
                  <ClassCard key={shown.label} shown={shown} />
                ))}
                <NewClass />
              </ul>
            </section>
            <LookPanel />
          </>
        )}
      </main>
      <StatusLine />
      <Toasts />
      <MergeDialog />
      <OpenDialog />
    </>
  );
}

function Header(): JSX.Element {
  const isUnsaved = learned.value.length === 0;
  // The invitation has a first heading of its own.
  const Brand = isEmpty.value ? 'p' : 'h1';
  return (
    <header class="top">
      <Brand class="brand">
        <Mark />
        Imprint
      </Brand>
      <div class="top-buttons">
        <PickFiles
          name="Open a saved file"
          accept=".imprint,.safetensors"
          multiple={false}
          onPick={([file]) => void openFile(file)}
        >
          <Icon name="folder" />
          Open
        </PickFiles>
        <button type="button" class="button" disabled={isUnsaved} onClick={() => void save()}>
          <Icon name="save" />
          Save
        </button>
        {canShare && (
          <button type="button" class="button" disabled={isUnsaved} onClick={() => void share()}>
            <Icon name="share" />
            Share
          </button>
        )}
      </div>
    </header>
  );
}

function Failure({ message }: { readonly message: string }): JSX.Element {
  return (
    <div class="failure" role="alert">
      <div>
        <strong>The model could not be loaded, so nothing can be learned or answered now.</strong>
        <p>{message}</p>
      </div>
      <button type="button" class="button" onClick={() => void forgetKept().then(() => location.reload())}>
        Try again
      </button>
    </div>
  );
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select');
}

function onKeyDown(event: KeyboardEvent): void {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || isWriting(event.target)) return;
  const key = event.key.toLowerCase();
  if (key !== 'z' && key !== 'y') return;
  event.preventDefault();
  if (key === 'y' || event.shiftKey) void redo();
  else void undo();
}

/** A pasted picture is an example of the class whose card has the focus, and a question anywhere else. */
async function onPaste(event: ClipboardEvent): Promise<void> {
  if (event.clipboardData === null || event.clipboardData.files.length === 0) return;
  event.preventDefault();
  const card = document.activeElement?.closest<HTMLElement>('[data-class]');
  const dropped = await droppedFiles(event.clipboardData);
  const { saved, loose } = dropped;
  if (saved !== undefined || loose.length === 0 || isEmpty.value) await learnDropped(dropped);
  else if (card?.dataset['class'] !== undefined) await learnFiles(card.dataset['class'], loose);
  else askAbout(loose[0], loose[0].name);
}

/** Everything that no card and no panel took. */
function onDragOver(event: DragEvent): void {
  if (hasFiles(event.dataTransfer)) event.preventDefault();
}

async function onDrop(event: DragEvent): Promise<void> {
  if (event.defaultPrevented || event.dataTransfer === null || !hasFiles(event.dataTransfer)) return;
  event.preventDefault();
  await learnDropped(await droppedFiles(event.dataTransfer));
}
