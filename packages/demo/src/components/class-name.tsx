/** A class's name, which becomes a field when it is clicked. */

import { useLayoutEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { renameClass, renaming } from '../state/learn.ts';

export function ClassName({ label }: { readonly label: string }): JSX.Element {
  if (renaming.value === label) return <NameField label={label} />;
  return (
    <h3 class="class-name">
      <button
        type="button"
        title="Rename"
        aria-label={`${label}: rename`}
        data-name={label}
        onClick={() => (renaming.value = label)}
      >
        {label}
      </button>
    </h3>
  );
}

function NameField({ label }: { readonly label: string }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  // Before anything is painted: what is typed at once would be selected with the old name, and lost.
  useLayoutEffect(() => field.current?.select(), []);

  const end = async (name: string | undefined, byKey: boolean) => {
    if (isOver.current) return;
    isOver.current = true;
    renaming.value = undefined;
    const shown = name !== undefined && (await renameClass(label, name)) ? name.trim() : label;
    // Who came by keyboard goes on from the name.
    if (byKey)
      requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-name="${CSS.escape(shown)}"]`)?.focus());
  };
  return (
    <input
      ref={field}
      class="class-name-field"
      aria-label={`New name for ${label}`}
      defaultValue={label}
      maxLength={200}
      autoComplete="off"
      onKeyDown={(event) => {
        if (event.key === 'Enter') void end(event.currentTarget.value, true);
        if (event.key === 'Escape') void end(undefined, true);
      }}
      onBlur={({ currentTarget }) => void end(currentTarget.value, false)}
    />
  );
}
