/** Icons as strokes, 20 px square; always beside a name or inside something that has one. */

import type { JSX } from 'preact';

const PATHS = {
  camera: 'M3 7.5h3l1.2-2h5.6l1.2 2h3v8.500H3zM10 14a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.400z',
  picture: 'M3.5 4.500h13v11h-13zM3.5 13l3.5-3.5 3.5 3.5 2-2 4 4M12.8 8h.01',
  plus: 'M10 4.500v11M4.5 10h11',
  more: 'M4.8 10h.4M9.8 10h.4M14.8 10h.4',
  close: 'M5.5 5.500l9 9M14.5 5.500l-9 9',
  folder: 'M3 5.500h5l1.5 2H17v8H3z',
  save: 'M10 4v9M6.5 9.500L10 13l3.5-3.500M4 13v3h12v-3',
  share:
    'M7.3 9.200l5.4-3M7.3 10.800l5.4 3M5.5 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM14.5 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM14.5 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  turn: 'M4 8.500a6.3 6.3 0 0 1 11.5-1.500M16 3.500V7h-3.500M16 11.500a6.3 6.3 0 0 1-11.5 1.500M4 16.500V13h3.5',
  shapes: 'M10 3l3.5 6h-7zM4 12h4.500v4.500H4zM14 16.500a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.600z',
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: an arch of print lines. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
      <rect width="64" height="64" rx="15" />
      <path d="M15 41V32a17 17 0 0 1 34 0v9M23.5 48V32a8.5 8.5 0 0 1 17 0v7M32 32v19M40.5 47v1.5" />
    </svg>
  );
}
