/** "Merge A into ...": the way without a pointer; with one, a card can be dragged onto another. */

import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { mergeClasses } from '../state/learn.ts';
import { cards } from '../state/session.ts';
import { Dialog } from './dialog.tsx';

/** The class that is to go into another. */
export const merging = signal<string | undefined>(undefined);

export function MergeDialog(): JSX.Element | null {
  const from = merging.value;
  return from === undefined ? null : <MergeQuestion key={from} from={from} />;
}

function MergeQuestion({ from }: { readonly from: string }): JSX.Element {
  const others = cards.value.map(({ label }) => label).filter((label) => label !== from);
  const [into, setInto] = useState(others[0]);
  const close = () => (merging.value = undefined);
  if (into === undefined) {
    return (
      <Dialog title={`Merge “${from}”`} onClose={close}>
        <p>There is no other class to merge it into.</p>
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={close}>
            Close
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={`Merge “${from}”`} onClose={close}>
      <label class="field">
        <span>All its pictures go into</span>
        <select value={into} onChange={({ currentTarget }) => setInto(currentTarget.value)}>
          {others.map((label) => (
            <option key={label} value={label}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
        <button
          type="button"
          class="button primary"
          onClick={() => {
            close();
            void mergeClasses(from, into);
          }}
        >
          Merge
        </button>
      </div>
    </Dialog>
  );
}
