/** Short messages that come and go: what was done, with its way back, and what could not be done. */

import { signal } from '@preact/signals';

export interface Toast {
  readonly id: number;
  readonly message: string;
  /** An error is said at once to a screen reader, and stays longer. */
  readonly tone: 'done' | 'error';
  /** Until it is dismissed: an offer that nobody has to hurry for. */
  readonly stays: boolean;
  readonly action: { readonly name: string; readonly run: () => void } | undefined;
}

const SHOWN = 3;
const DONE_MS = 8_000;
const ERROR_MS = 16_000;

export const toasts = signal<readonly Toast[]>([]);

const timers = new Map<number, ReturnType<typeof setTimeout>>();
let nextId = 0;

/** Says something; a message that stands there already is not said twice. @returns its number, for `dismiss` */
export function say(message: string, options: Partial<Omit<Toast, 'id' | 'message'>> = {}): number {
  const { tone = 'done', stays = false, action } = options;
  for (const same of toasts.value.filter((toast) => toast.message === message)) dismiss(same.id);
  const toast: Toast = { id: nextId++, message, tone, stays, action };
  for (const old of toasts.value.slice(0, Math.max(0, toasts.value.length - SHOWN + 1))) dismiss(old.id);
  toasts.value = [...toasts.value, toast];
  resume(toast);
  return toast.id;
}

/** Says an error in its own sentence. */
export function sayError(error: unknown): void {
  say(error instanceof Error ? error.message : String(error), { tone: 'error' });
}

export function dismiss(id: number): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** While somebody reads it or is on its button, a message stays. */
export function hold({ id }: Toast): void {
  clearTimeout(timers.get(id));
}

export function resume({ id, tone, stays }: Toast): void {
  clearTimeout(timers.get(id));
  if (stays) return;
  timers.set(
    id,
    setTimeout(() => dismiss(id), tone === 'error' ? ERROR_MS : DONE_MS),
  );
}
