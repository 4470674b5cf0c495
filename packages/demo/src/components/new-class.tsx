/** One field and a button: a name, and there is a class. Or pictures dropped here, or a folder of folders. */

import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { pickedFiles } from '../pictures/dropped-files.ts';
import { learnDropped } from '../state/learn-dropped.ts';
import { draftClass } from '../state/learn.ts';
import { Icon } from './icons.tsx';
import { PickFiles } from './pick-files.tsx';

export function NewClass(): JSX.Element {
  const [name, setName] = useState('');
  return (
    <li class="card card-new">
      <form
        class="new-class"
        aria-label="New class"
        onSubmit={(event) => {
          event.preventDefault();
          if (draftClass(name) !== undefined) setName('');
        }}
      >
        <label for="new-class-name">New class</label>
        <div class="field-row">
          <input
            id="new-class-name"
            value={name}
            maxLength={200}
            placeholder="Its name"
            autoComplete="off"
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
          <button type="submit" class="button" disabled={name.trim() === ''}>
            <Icon name="plus" />
            Add
          </button>
        </div>
      </form>
      <p class="hint">
        Or drop pictures here, or{' '}
        <PickFiles class="link" folder onPick={(files) => void learnDropped(pickedFiles(files))}>
          choose a folder
        </PickFiles>
        : each folder in it becomes a class.
      </p>
    </li>
  );
}
