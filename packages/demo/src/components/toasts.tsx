/** Messages at the foot of the page: polite where something was done, at once where something failed. */

import type { JSX } from 'preact';
import { dismiss, hold, resume, toasts, type Toast } from '../state/toasts.ts';
import { Icon } from './icons.tsx';
import { Learning } from './learning.tsx';

const UNDO_KEYS = /Mac|iP(hone|ad)/.test(navigator.userAgent) ? '⌘Z' : 'Ctrl+Z';

export function Toasts(): JSX.Element {
  const of = (tone: Toast['tone']) => toasts.value.filter((toast) => toast.tone === tone);
  return (
    <div class="toasts">
      <Learning />
      <div role="alert">
        {of('error').map((toast) => (
          <ToastRow key={toast.id} toast={toast} />
        ))}
      </div>
      <div role="status">
        {of('done').map((toast) => (
          <ToastRow key={toast.id} toast={toast} />
        ))}
      </div>
    </div>
  );
}

function ToastRow({ toast }: { readonly toast: Toast }): JSX.Element {
  const { id, message, tone, action } = toast;
  const run = () => {
    dismiss(id);
    action?.run();
  };
  return (
    <div
      class={`toast toast-${tone}`}
      onMouseEnter={() => hold(toast)}
      onMouseLeave={() => resume(toast)}
      onFocusIn={() => hold(toast)}
      onFocusOut={() => resume(toast)}
    >
      <span>{message}</span>
      {action && (
        <button type="button" class="toast-action" onClick={run}>
          {action.name}
          {action.name === 'Undo' && <kbd aria-hidden="true">{UNDO_KEYS}</kbd>}
        </button>
      )}
      <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => dismiss(id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
