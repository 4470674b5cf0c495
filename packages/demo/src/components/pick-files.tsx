/** A button that opens the system's file picker. */

import { useRef } from 'preact/hooks';
import type { ComponentChildren, JSX } from 'preact';

interface PickFilesProps {
  readonly class?: string;
  readonly name?: string;
  readonly accept?: string;
  readonly multiple?: boolean;
  /** Picks a folder, with all that is in it. */
  readonly folder?: boolean;
  readonly onPick: (files: readonly File[]) => void;
  readonly children: ComponentChildren;
}

export function PickFiles(props: PickFilesProps): JSX.Element {
  const { name, accept = 'image/*', multiple = true, folder = false, onPick, children } = props;
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={props.class ?? 'button'} aria-label={name} onClick={() => input.current?.click()}>
        {children}
      </button>
      <input
        ref={input}
        class="hidden-input"
        type="file"
        tabIndex={-1}
        aria-hidden="true"
        {...(folder ? { webkitdirectory: true } : { accept })}
        multiple={multiple || folder}
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])];
          // The same file may be picked again.
          currentTarget.value = '';
          if (files.length > 0) onPick(files);
        }}
      />
    </>
  );
}
