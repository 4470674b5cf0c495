/** How far the reading of pictures is, and a way to end it. */

import type { JSX } from 'preact';
import { pictures, progress, stopLearning } from '../state/learn.ts';

export function Learning(): JSX.Element {
  const now = progress.value;
  return (
    <div role="status">
      {now && (
        <div class="toast learning">
          <span>
            Learning {pictures(now.total)}
            <small aria-hidden="true">
              {now.label}, {now.done} of {now.total}
            </small>
            <progress value={now.done} max={now.total} aria-label="Pictures learned" />
          </span>
          <button type="button" class="toast-action" onClick={stopLearning}>
            Stop
          </button>
        </div>
      )}
    </div>
  );
}
