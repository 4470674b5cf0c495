/** Drawings to ask about once the sample was learned: three new ones of its kinds, and a stranger. */

import { computed } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { EXAMPLES_EACH, SAMPLE_KINDS, samplePicture, type SampleKind } from '../pictures/sample.ts';
import { askAbout } from '../state/ask.ts';
import { learned } from '../state/session.ts';

/** Drawings that were not learned. */
const ASKED: readonly SampleKind[] = [...SAMPLE_KINDS, 'Umbrella'];

const hasSample = computed(() => SAMPLE_KINDS.every((kind) => learned.value.some(({ label }) => label === kind)));

export interface Drawing {
  readonly file: File;
  readonly url: string;
}

/** Draws once, when it is shown; the addresses end with it. */
export function useDrawings(kinds: readonly SampleKind[], variant: number): readonly Drawing[] {
  const [drawings, setDrawings] = useState<readonly Drawing[]>([]);
  useEffect(() => {
    let made: readonly Drawing[] = [];
    let isOver = false;
    void Promise.all(kinds.map((kind) => samplePicture(kind, variant))).then((files) => {
      if (isOver) return;
      made = files.map((file) => ({ file, url: URL.createObjectURL(file) }));
      setDrawings(made);
    });
    return () => {
      isOver = true;
      for (const { url } of made) URL.revokeObjectURL(url);
    };
  }, []);
  return drawings;
}

export function SampleTray(): JSX.Element | null {
  return hasSample.value ? <Tray /> : null;
}

function Tray(): JSX.Element {
  const drawings = useDrawings(ASKED, EXAMPLES_EACH + 3);
  return (
    <section class="tray" aria-label="Drawings to ask about">
      <h3 class="small-title">Not seen before:</h3>
      <ul>
        {drawings.map(({ file, url }, index) => (
          <li key={url}>
            <button
              type="button"
              aria-label={`Ask about drawing ${index + 1}`}
              onClick={() => askAbout(file, file.name)}
            >
              <img class="thumb" src={url} alt="" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
