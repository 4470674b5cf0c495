/** At the foot: how fast, on what, how much is kept, and whether the network is needed. */

import type { JSX } from 'preact';
import { speedMs } from '../state/ask.ts';
import { pictures } from '../state/learn.ts';
import { isKept, isOnline } from '../state/offline.ts';
import { classifier, device, failure, learned, numExamples, storage } from '../state/session.ts';

export function StatusLine(): JSX.Element {
  return (
    <footer class="status" aria-label="Status">
      <Engine />
      {speedMs.value !== undefined && (
        <span title="Median time from a question to its answer">{Math.round(speedMs.value)} ms an answer</span>
      )}
      {learned.value.length > 0 && (
        <span>
          {pictures(numExamples.value)} in {learned.value.length} {learned.value.length === 1 ? 'class' : 'classes'}
        </span>
      )}
      <Storage />
      <span class={isOnline.value ? 'status-net' : 'status-net is-offline'}>
        {isOnline.value ? (isKept.value ? 'Works offline' : 'Online') : 'Offline'}
      </span>
    </footer>
  );
}

function Engine(): JSX.Element {
  const chosen = device.value;
  if (failure.value !== undefined) return <span>No classifier</span>;
  if (classifier.value === undefined || chosen === undefined) {
    return <span title="The model and its engine, some 10 MB, once">Getting ready…</span>;
  }
  const threads = chosen.numThreads === 1 ? '1 thread' : `${chosen.numThreads} threads`;
  return <span title={chosen.inWords}>{chosen.device === 'webgpu' ? 'WebGPU' : `WASM, ${threads}`}</span>;
}

const KINDS = { opfs: 'on this device', indexeddb: 'on this device', memory: 'in memory only' } as const;

function Storage(): JSX.Element | null {
  const kept = storage.value;
  if (kept === undefined) return null;
  const { kind, isSaved, persisted, usageBytes, quotaBytes } = kept;
  if (!isSaved) return <span>Not saved on this device</span>;
  if (learned.value.length === 0) return null;
  const of = quotaBytes === undefined ? '' : ` of ${size(quotaBytes)} that the browser allows`;
  const promise = persisted
    ? 'The browser keeps it until you delete it.'
    : 'The browser may clear it when space is short.';
  const title = usageBytes === undefined ? promise : `${size(usageBytes)}${of}, the page itself included. ${promise}`;
  return (
    <span title={title}>{usageBytes === undefined ? `Kept ${KINDS[kind]}` : `${size(usageBytes)} ${KINDS[kind]}`}</span>
  );
}

/** "8 MB", "1.2 GB" */
function size(bytes: number): string {
  const [value, unit] = bytes < 1e9 ? [bytes / 1e6, 'megabyte'] : [bytes / 1e9, 'gigabyte'];
  return value.toLocaleString('en', { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}
