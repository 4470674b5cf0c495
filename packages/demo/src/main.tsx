/** Starts the page. */

import { render } from 'preact';
import { App } from './app.tsx';
import { keepAnswering } from './state/ask.ts';
import { openFile } from './state/files.ts';
import { keepWhenReady, watchNetwork } from './state/offline.ts';
import { exampleIds, ready } from './state/session.ts';
import { pruneThumbnails } from './state/thumbnails.ts';
import './styles/base.css';
import './styles/controls.css';
import './styles/cards.css';
import './styles/look.css';

/** A saved file that was opened from the system's file browser, where the page is installed. */
interface LaunchQueue {
  setConsumer(consumer: (launch: { readonly files: readonly FileSystemFileHandle[] }) => void): void;
}

render(<App />, document.getElementById('app')!);
watchNetwork();
keepAnswering();
const opened = ready();
opened
  .then(() => pruneThumbnails(new Set([...exampleIds.value.values()].flat())))
  // Why there is no classifier, the page shows.
  .catch(() => undefined);
keepWhenReady(opened);
(globalThis as { launchQueue?: LaunchQueue }).launchQueue?.setConsumer(({ files }) => {
  for (const handle of files.slice(0, 1)) void handle.getFile().then(openFile);
});
