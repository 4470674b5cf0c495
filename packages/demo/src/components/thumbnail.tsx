/** An example's picture, or an honest blank where the browser has evicted it or it came in a file. */

import type { JSX } from 'preact';
import { thumbnail } from '../state/thumbnails.ts';

export function Thumbnail({ id, name }: { readonly id: string; readonly name: string }): JSX.Element {
  const url = thumbnail(id).value;
  if (typeof url === 'string') return <img class="thumb" src={url} alt={name} draggable={false} />;
  const isGone = url === null;
  return (
    <span
      class={isGone ? 'thumb thumb-gone' : 'thumb'}
      role="img"
      aria-label={isGone ? `${name} (known, but its thumbnail is not on this device)` : name}
      title={isGone ? 'Known, but its thumbnail is not on this device' : undefined}
    />
  );
}
