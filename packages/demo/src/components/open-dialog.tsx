/** "Replace, or add?": asked where a file is opened and something is known already. */

import type { JSX } from 'preact';
import { opening, takeIn } from '../state/files.ts';
import { Dialog } from './dialog.tsx';

export function OpenDialog(): JSX.Element | null {
  const file = opening.value;
  if (file === undefined) return null;
  const close = () => (opening.value = undefined);
  return (
    <Dialog title={`Open ${file.name}`} onClose={close}>
      <p>Something is known here already. Either way can be undone.</p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
        <button type="button" class="button" onClick={() => void takeIn(file, true)}>
          Add to what is here
        </button>
        <button type="button" class="button primary" onClick={() => void takeIn(file, false)}>
          Replace
        </button>
      </div>
    </Dialog>
  );
}
